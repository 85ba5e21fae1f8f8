"""snnTorch's surrogates: recognised by the fused loop, and made again after pickling.

They are closures (`fast_sigmoid(slope)` returns a function of x), which pickle refuses.
What a closure holds are the arguments of its maker, so it can be told and made again.
"""

from dataclasses import dataclass

import snntorch as snn

NAMED = {  # snnTorch's surrogate -> ours, and the value that makes its step
    "fast_sigmoid": "fast_sigmoid",
    "atan": "atan",
    "sigmoid": "sigmoid",
    "straight_through_estimator": "straight",
}


def maker_of(spike_grad) -> str | None:
    """The function of `snntorch.surrogate` that made a surrogate, or None."""
    maker = getattr(spike_grad, "__qualname__", "").removesuffix(".<locals>.inner")
    ours = getattr(spike_grad, "__module__", "") == "snntorch.surrogate"
    return maker if ours and hasattr(snn.surrogate, maker) else None


def named(spike_grad) -> tuple[str, float] | None:
    """(surrogate, slope) of one of snnTorch's surrogates; None for any other.

    >>> named(snn.surrogate.fast_sigmoid(slope=10))
    ('fast_sigmoid', 10.0)
    """
    maker = maker_of(spike_grad)
    if maker not in NAMED:
        return None
    cells = spike_grad.__closure__ or ()
    return NAMED[maker], float(cells[0].cell_contents) if cells else 1.0


@dataclass(frozen=True)
class Rebuilt:
    """A surrogate as its maker's name and arguments."""

    maker: str
    arguments: tuple[tuple[str, object], ...]

    @classmethod
    def of(cls, spike_grad):
        """The recipe of one of snnTorch's surrogates; anything else as it is."""
        maker = maker_of(spike_grad)
        if maker is None:
            return spike_grad
        cells = spike_grad.__closure__ or ()
        names = spike_grad.__code__.co_freevars
        return cls(maker, tuple((n, c.cell_contents) for n, c in zip(names, cells)))

    def made(self):
        """The surrogate again."""
        return getattr(snn.surrogate, self.maker)(**dict(self.arguments))
