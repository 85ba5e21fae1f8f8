"""The studies of the open questions, so that `lindecay sweep` knows them.

A study is a generator of tasks that make their own rows (`designs.Asked`); its first
line says what it asks. Rows are kept in `data/reference/protocol` like all others.
"""

from lindecay.questions import (
    choosing,
    damage,
    gaps,
    latency,
    scale,
)
from lindecay.studies import designs

ROOMS: tuple = (  # modules with STUDIES: name -> generator of tasks
    choosing,
    damage,
    gaps,
    latency,
    scale,
)


def register() -> None:
    """Make every study of the rooms known to `lindecay.studies.protocol`."""
    for room in ROOMS:
        designs.QUESTIONS.update(room.STUDIES)
