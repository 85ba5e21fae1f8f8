"""The choices that an energy answer rests on, and the networks that they lead to.

The defaults are the frozen design's, second edition; `None` leaves a size to the
profile. Whoever knows better replaces a field (see `lindecay check --assume`).
"""

from dataclasses import asdict, dataclass, field, replace

import numpy as np

from lindecay import events, settings, sram
from lindecay.energy import constants as table
from lindecay.energy import layouts, maps, network, scaling
from lindecay.energy.constants import Constant
from lindecay.energy.network import Measured

CLIPS = 100  # the frozen design's: the first 100 test clips
SIZES = ("hidden", "dt_us", "steps", "weight_bits", "membrane_bits", "fraction_bits")


@dataclass(frozen=True)
class Choices:
    """What chapter 91 leaves open, as far as energy depends on it."""

    hidden: int | None = None  # neurons of MLP-1's hidden layer
    dt_us: int | None = None
    steps: int | None = None
    weight_bits: int | None = None
    membrane_bits: int | None = None
    fraction_bits: int | None = None
    rows: int = 256
    cols: int = 256
    ports: int = 2
    merge: str = "tree"
    deal: str = "turn"
    layout: str | None = None  # judged alone where it is given
    update: str | None = None
    vdd_v: float = 1.0
    flavour: str = "GP"
    leakage: str = "always on"
    low_chip: str = "anpi_sop"
    high_chip: str = "loihi_sop"
    module: str | None = None  # a module scope, judged alone
    metric: str | None = None  # what energy efficiency means
    clips: int = CLIPS
    constants: dict[str, float] = field(default_factory=dict)  # in the rows' own units

    def profile(self, name: str) -> settings.Profile:
        """The profile with the sizes that were chosen."""
        given = {k: getattr(self, k) for k in SIZES if getattr(self, k) is not None}
        return replace(settings.profile(name), **given)

    def table(self) -> dict[str, Constant]:
        """The constants: flavour first, then what was swapped."""
        return table.swap(table.flavoured(table.load(), self.flavour), **self.constants)

    def spec(self, **more) -> sram.MacroSpec:
        """The macro."""
        own = {k: getattr(self, k) for k in ("rows", "cols", "ports", "merge", "deal")}
        return sram.MacroSpec(**own, **more)

    def priced(self, design):
        """A design at the chosen supply and leakage."""
        design = design.leaking(self.leakage)
        at_home = self.vdd_v == scaling.HEADLINE[1]
        return design if at_home else maps.at_supply(design, self.vdd_v)


def clips_of(size: settings.Profile, most: int = CLIPS):
    """The first test clips, all where there are fewer."""
    found = events.clips("nmnist", "test", size)
    return found.subset(np.arange(min(most, len(found))))


@dataclass(frozen=True)
class Case:
    """The ledgers of one choice: layout A measured, the others from its counts."""

    choices: Choices
    source: str
    clips: int
    dt_us: int
    ours: Measured  # linear decay in the array, layout A
    product: Measured  # the same weights, exponential decay in the array
    tree: Measured  # layout C, updated in place
    sums: Measured  # layout C, membranes elsewhere

    @property
    def hidden(self) -> str:
        """Name of the hidden layer."""
        return self.ours.layers[0]["name"]


def case(profile: str = "quick", choices: Choices | None = None) -> Case:
    """Train (or find) the network of these choices and run it on the array.

    Raises:
        Fault: a size or a macro that cannot be.
    """
    from lindecay import training  # heavy: only where a network is wanted
    from lindecay.quantization import Checkpoint

    choices = choices or Choices()
    size = choices.profile(profile)
    clips = clips_of(size, choices.clips)
    folder = training.train(training.Plan("ldlif", 0, size))
    ck, spec = Checkpoint.load(folder / "checkpoint.npz"), choices.spec()
    ours = network.stored(ck, clips, "ldlif", spec)
    product = network.stored(network.under(ck, "exponential"), clips, "vlif", spec)
    told = (choices, clips.source, len(clips), clips.dt_us, ours, product)
    return Case(*told, layouts.tree(ours, in_place=True), layouts.tree(ours))


def plain(choices: Choices) -> dict:
    """Only what differs from the frozen design."""
    first = asdict(Choices())
    return {k: v for k, v in asdict(choices).items() if v != first[k]}
