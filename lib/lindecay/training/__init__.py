"""Training: paired arms on one grid, resumable, stamped; evaluation in integers.

    plan       all that one run depends on
    loop       epochs, resume, and what a trained network gives
    outcome    arms on test clips, and intervals of what parts them
    speech     MLP-2 on SHD: bins, variation of clips, held-out speakers
    gestures   the CNN on DVS Gesture: trained on the stand-in, run on what is here

The networks themselves are in `networks`; a new one on a new set of clips is a plan
like `speech.Plan`.
"""

from lindecay.training.loop import (
    Run,
    checkpoint_for,
    curve,
    decay_of,
    load,
    predicted,
    right,
    train,
    trained,
    training_forward,
)
from lindecay.training.outcome import (
    COMPARED,
    Outcome,
    binomial_se,
    compare,
    correct,
    minimum_detectable_drop,
    paired_drop,
    with_lambda,
)
from lindecay.training.plan import BETA, Plan, arm, clips_for, events_of

__all__ = [
    "BETA",
    "COMPARED",
    "Outcome",
    "Plan",
    "Run",
    "arm",
    "binomial_se",
    "checkpoint_for",
    "clips_for",
    "compare",
    "correct",
    "curve",
    "decay_of",
    "events_of",
    "load",
    "minimum_detectable_drop",
    "paired_drop",
    "predicted",
    "right",
    "train",
    "trained",
    "training_forward",
    "with_lambda",
]
