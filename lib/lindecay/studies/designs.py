"""What each study asks, as data: lists of tasks, the most important first.

    task = (study, data set, arm, seed, knobs);  its key names it in files of rows

Studies whose name begins with `open` use decays without a dead zone (decay.learned);
the older ones keep the networks that were published with a clamp. A task says which
(`version`), so that rows of the two never meet in one statistic.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Protocol

from lindecay.settings import Fault, build_dir, committed

HORIZONS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # steps, the six that every arm tries
# chosen by the study `tune` on two held-out training speakers
TUNED = {"vlif": 32.0, "ldlif": 4.0, "floor": 4.0, "if": 4.0, "shift": 32.0}
SMALL = {"epochs": 4, "clips": 2000}  # trained while a page is built
SIZES = {"hidden": (128, 256, 512, 1024), "dt_us": (5_000, 10_000, 20_000, 40_000)}
MAIN, CONTROLS = ("vlif", "ldlif"), ("if", "floor")


@dataclass(frozen=True)
class Task:
    """One training run and what is asked of it."""

    study: str  # tune | test | speakers | weights | membrane | fraction | fixed | folds
    data: str
    arm: str
    seed: int = 0
    epochs: int = 12
    horizon: float = 16.0  # steps, at the start
    weight_bits: int = 4  # 0 is float
    membrane_bits: int = 12
    fraction_bits: int = 2
    fold: int | None = None
    speaker: int | None = None
    learn_decay: bool = True
    clips: int | None = None  # only so many training clips, chosen once
    beta_bits: int | None = None  # of v-LIF's multiplier; 8 where it is None
    hidden: int | None = None  # neurons of MLP-1's hidden layer; else the profile's
    dt_us: int | None = None  # width of MLP-1's bins; else the profile's
    version: int | None = None  # of the decays: None under a clamp, 2 open
    bias: str | None = None  # "none": MLP-2 without biases
    depth: int | None = None  # hidden layers of MLP-2 where not two
    network: str | None = None  # a ceiling instead of MLP-2 (lindecay.studies.ceilings)
    rate: float | None = None  # of a ceiling's optimiser; 1e-3 where it is None

    @property
    def judged(self) -> str:
        """Which clips the network is judged on, in a word."""
        if self.speaker is not None:
            return f"speaker {self.speaker}"
        return "test" if self.fold is None else f"fold {self.fold}"

    @property
    def key(self) -> str:
        """Readable and unique; rows are merged by it."""
        return ",".join(f"{k}={v}" for k, v in asdict(self).items() if v is not None)


class Asked(Protocol):
    """A task of another kind: frozen, can be pickled, and makes its own row."""

    @property
    def key(self) -> str:
        """Readable and unique; rows are merged by it."""

    def row(self) -> dict:
        """What was found, as JSON; its `key` is the task's."""


QUESTIONS: dict[str, Callable[[], Iterator[Asked]]] = {}


def added(studies: dict) -> dict:
    """Make studies of such tasks known; each room of lindecay.questions does."""
    QUESTIONS.update(studies)
    return studies


def tasks(name: str) -> list:
    """The tasks of a study by name, the most important first; Fault when unknown."""
    known = STUDIES | QUESTIONS
    if name not in known:
        raise Fault("unknown study", expected=" or ".join(known), found=repr(name))
    return list(known[name]())


def _tune() -> Iterator[Task]:
    """Six horizons an arm, one seed, two training speakers held out."""
    yield Task("tune", "shd", "if", epochs=8, horizon=4.0, fold=0)
    for horizon in HORIZONS:
        for arm in (*MAIN, "floor"):
            yield Task("tune", "shd", arm, epochs=8, horizon=horizon, fold=0)


def _spoken(study: str, arm: str, seed: int = 0, **knobs) -> Task:
    return Task(study, "shd", arm, seed, horizon=TUNED[arm], **knobs)


def _strong() -> Iterator[Task]:
    """Is MLP-2 a straw man? v-LIF without a grid, two training speakers held out."""
    for seed in range(2):
        yield _spoken("strong", "vlif", seed, weight_bits=0, fold=0)


def _main() -> Iterator[Task]:
    """Ten paired seeds of the two main arms, five of the controls."""
    for arms, seeds in (
        (MAIN, range(3)),
        (CONTROLS, range(2)),
        (MAIN, range(3, 10)),
        (CONTROLS, range(2, 5)),
    ):
        for seed in seeds:
            for arm in arms:
                yield _spoken("test", arm, seed)


def _speakers() -> Iterator[Task]:
    """Leave one training speaker out, each in turn."""
    for speaker in (0, 1, 2, 3, 6, 7, 8, 9, 10, 11):
        for arm in MAIN:
            yield _spoken("speakers", arm, speaker=speaker)


def _further() -> Iterator[Task]:
    """Decays that do not learn, the shift-exponential, a multiplier of 16 bits."""
    for seed in range(3):
        for arm in MAIN:
            yield _spoken("fixed", arm, seed, learn_decay=False)
        yield _spoken("fixed", "shift", seed)
        yield _spoken("fixed", "vlif", seed, beta_bits=16)


def _weights() -> Iterator[Task]:
    """Weights of 1 to 8 bits and float, one seed; membranes grow with the weights."""
    for bits in (0, 4, 2, 3, 1, 8, 6, 5):  # what matters most first
        for arm in MAIN:
            wide = {"weight_bits": bits, "membrane_bits": 12 + max(0, bits - 4)}
            yield _spoken("weights", arm, fold=0, **wide)


def _folds() -> Iterator[Task]:
    """N-MNIST: stratified five-fold cross-validation of all 1,100 clips."""
    for seed in range(5):
        for fold in range(5):
            for arm in (*MAIN, *CONTROLS):
                yield _digits("folds", arm, seed, fold=fold)


def _digits(study: str, arm: str, seed: int, **knobs) -> Task:
    sizes = {"weight_bits": 3, "membrane_bits": 10, "fraction_bits": 2}
    sizes |= {"horizon": 10.0}  # beta = 0.9, as in chapter 04
    return Task(study, "nmnist", arm, seed, **(sizes | knobs))


def _axes() -> Iterator[Task]:
    """N-MNIST, fold 0: one axis of the grid at a time, both neurons, three seeds."""
    axes = {"weight_bits": (1, 2, 3, 4, 5, 6, 7, 8), "membrane_bits": (6, 8, 12, 16)}
    axes |= {"fraction_bits": (0, 1, 2, 3, 4, 5)}
    for seed in range(3):
        for axis, values in axes.items():
            for value in values:
                for arm in MAIN:
                    yield _digits(axis, arm, seed, fold=0, **_width(axis, value))


def _width(axis: str, value: int) -> dict[str, int]:
    """The knobs of one value, and a membrane that does not narrow them.

    The threshold must fit the membrane: with 10 bits, weights of 5 to 8 bits were the
    same weights. A fraction refines a membrane of the same range.
    """
    beside = {}
    if axis == "weight_bits":
        beside = {"membrane_bits": 16}
    if axis == "fraction_bits":
        beside = {"membrane_bits": 8 + value}
    if axis == "membrane_bits" and value == 6:
        beside = {"fraction_bits": 0}
    return {axis: value} | beside


def _sizes() -> Iterator[Task]:
    """N-MNIST, fold 0: neurons and bins that the summary does not give, three seeds."""
    for seed in range(3):
        for axis, values in SIZES.items():
            for value in values:
                for arm in MAIN:
                    yield _digits(axis, arm, seed, fold=0, **{axis: value})


def _decays() -> Iterator[Task]:
    """N-MNIST, fold 0: six horizons to start from, every arm that has one."""
    for seed in range(3):
        for horizon in HORIZONS:
            for arm in (*MAIN, "floor"):
                yield _digits("decay", arm, seed, fold=0, horizon=horizon)


def _quick() -> Iterator[Task]:
    """What a page trains there and then: three arms, two seeds, a few clips."""
    for seed in range(2):
        for arm in (*MAIN, "if"):
            yield _spoken("test", arm, seed, **SMALL)


def _gestures() -> Iterator[Task]:
    """DVS Gesture, for where the official files are; the stand-in settles nothing."""
    for arms, seeds in ((MAIN, 10), (CONTROLS, 5)):
        for seed in range(seeds):
            for arm in arms:
                yield Task("test", "dvsgesture", arm, seed, epochs=20, horizon=6.7)


# ---- decays without a dead zone: every arm tuned with the same care

OPEN_FIRST = ("vlif", "ldlif", "shift")  # which neuron: the three that must be decided
OPEN_NEXT = ("floor", "vlif_trunc", "shift_near", "drift", "vlif16")
TRIED = (16.0, 4.0, 32.0, 8.0, 64.0, 2.0)  # HORIZONS, the middle first
SEEDS = 20  # of the main arms on the two test speakers
SPEAKERS = (0, 1, 2, 3, 6, 7, 8, 9, 10, 11)  # who speak in the training split


@cache
def chosen(arm: str) -> float | None:
    """The start horizon that did best on two held-out speakers; None until six ran.

    Of equals the longest. IF has no horizon, and any will do.
    """
    if arm == "if":
        return 4.0
    found = {}
    for home in (committed("reference") / "protocol", build_dir() / "protocol"):
        path = home / "open-tune.json"
        rows = json.loads(path.read_text())["rows"] if path.exists() else []
        found |= {r["horizon"]: r["accuracy"] for r in rows if r["arm"] == arm}
    if set(found) < set(HORIZONS):
        return None
    return max(HORIZONS, key=lambda h: (found[h], h))


def waits(task: Task | Asked) -> bool:
    """Whether a task with open decays cannot start before its arm is tuned."""
    if not isinstance(task, Task):
        return False
    open_spoken = task.version is not None and task.data == "shd"
    return open_spoken and task.study != "tune" and chosen(task.arm) is None


def _open(study: str, arm: str, seed: int = 0, **knobs) -> Task:
    knobs = {"horizon": chosen(arm) or 16.0} | knobs
    return Task(study, "shd", arm, seed, version=2, **knobs)


def _open_tune() -> Iterator[Task]:
    """Open decays: six starting horizons for every arm, two speakers held out."""
    for arms in (OPEN_FIRST, OPEN_NEXT):
        for horizon in TRIED:
            for arm in arms:
                yield _open("tune", arm, epochs=8, horizon=horizon, fold=0)
    yield _open("tune", "if", epochs=8, fold=0)


def _open_main() -> Iterator[Task]:
    """Open decays, two test speakers: 20 seeds of four arms, five of the others."""
    main, others = (*OPEN_FIRST, "if"), OPEN_NEXT
    for arms, seeds in (
        (main, range(2)),
        (others, range(2)),
        (main, range(2, SEEDS)),
        (others, range(2, 5)),
    ):
        for seed in seeds:
            for arm in arms:
                yield _open("test", arm, seed)


def _open_ceilings() -> Iterator[Task]:
    """What limits MLP-2: no spikes (MLP, GRU), no grid, more neurons, more layers."""
    for seed in range(3):
        for network in ("gru", "mlp"):
            yield _open("ceiling", "if", seed, weight_bits=0, fold=0, network=network)
        for size in ({}, {"hidden": 512}, {"hidden": 1024}, {"depth": 3}):
            yield _open("ceiling", "vlif", seed, weight_bits=0, fold=0, **size)


def _open_rates() -> Iterator[Task]:
    """Are the ceilings trained enough? Faster and three times as long, one seed."""
    free = {"weight_bits": 0, "fold": 0}
    for epochs, rates in ((12, (3e-3, 1e-2, 3e-2)), (36, (3e-3, 1e-2))):
        for rate in rates:
            for network in ("gru", "mlp"):
                own = {"network": network, "rate": rate, "epochs": epochs}
                yield _open("ceiling", "if", **free, **own)
    yield _open("ceiling", "vlif", epochs=36, **free)


def _open_bias() -> Iterator[Task]:
    """MLP-2 without biases, so that lambda is identifiable; held-out speakers."""
    for arms in (OPEN_FIRST, ("if", "drift")):
        for seed in range(3):
            for arm in arms:
                yield _open("bias", arm, seed, fold=0, bias="none")
                yield _open("bias", arm, seed, fold=0)


def _open_speakers() -> Iterator[Task]:
    """Leave one training speaker out, each in turn, three seeds of four arms."""
    for seed in range(3):
        for speaker in SPEAKERS:
            for arm in (*OPEN_FIRST, "if"):
                yield _open("speakers", arm, seed, speaker=speaker)


def _open_weights() -> Iterator[Task]:
    """Open decays: weights of 1 to 8 bits and float, three seeds."""
    for seed in range(3):
        for bits in (0, 4, 2, 3, 1, 8, 6, 5):
            for arm in OPEN_FIRST:
                wide = {"weight_bits": bits, "membrane_bits": 12 + max(0, bits - 4)}
                yield _open("weights", arm, seed, fold=0, **wide)


def _more_folds() -> Iterator[Task]:
    """N-MNIST: the folds of `folds` with ten seeds, and a shift beside them."""
    for seed in range(10):
        for fold in range(5):
            for arm in (*MAIN, *CONTROLS, "shift"):
                if arm == "shift" or seed >= 5:
                    yield _digits("folds", arm, seed, fold=fold)


STUDIES = {
    "quick": _quick,
    "tune": _tune,
    "strong": _strong,
    "main": _main,
    "speakers": _speakers,
    "further": _further,
    "weights": _weights,
    "folds": _folds,
    "axes": _axes,
    "decays": _decays,
    "sizes": _sizes,
    "gestures": _gestures,
    "open-tune": _open_tune,
    "open-main": _open_main,
    "open-ceilings": _open_ceilings,
    "open-rates": _open_rates,
    "open-bias": _open_bias,
    "open-speakers": _open_speakers,
    "open-weights": _open_weights,
    "more-folds": _more_folds,
}
