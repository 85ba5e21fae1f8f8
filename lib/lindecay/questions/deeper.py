"""A deeper CNN: five convolutions instead of two, on the gesture stand-in.

    2 x 32 x 32 - 16c5/2 - 32c3 - p2 - fc11                        as in chapter 07
    2 x 32 x 32 - 8c3/2 - 16c3 - 16c3 - 16c3 - 32c3 - p2 - fc11    five convolutions

Bins are twice as long as the CNN's (25 of 58 ms), so that several seeds fit the time.
"""

from dataclasses import dataclass, replace

from torch import nn

from lindecay import events
from lindecay.networks import Cnn, CnnSpec
from lindecay.networks.cnn import Conv
from lindecay.training import gestures

BINNING = events.Binning(dt_us=58_000, steps=25, downsample=4)
CONVS = {
    2: (Conv(16, 5, stride=2), Conv(32, 3)),
    5: (Conv(8, 3, stride=2), Conv(16, 3), Conv(16, 3), Conv(16, 3), Conv(32, 3)),
}


@dataclass(frozen=True)
class Plan(gestures.Plan):
    """One run of a CNN with so many convolutions, on coarse bins."""

    depth: int = 2
    most: int | None = None  # clips of the stand-in's training split, the first ones

    def spec(self, clips: events.Clips | None = None) -> CnnSpec:
        return replace(super().spec(clips), convs=CONVS[self.depth])

    def clips(self) -> events.Clips:
        found = stand_in("train")
        return found.subset(slice(self.most))

    def network(self, clips: events.Clips) -> nn.Module:
        return Cnn(self.spec())

    def params(self, clips: events.Clips) -> dict:
        return super().params(clips) | {"depth": self.depth, "most": self.most}

    @property
    def modules(self) -> tuple[str, ...]:
        return (__name__,)


def stand_in(split: str) -> events.Clips:
    """Coarse clips of the stand-in, whatever recordings lie beside it."""
    return events.binned(events.stand_in("dvsgesture", "paper"), split, BINNING)
