"""Neurons for snnTorch: linear decay and the laws that it is compared with."""

from lindecay.neurons.convert import convert, from_leaky
from lindecay.neurons.exchange import to_nir
from lindecay.neurons.lif import LinearDecayLIF, NoBeta, Within, named, reset

__all__ = [
    "LinearDecayLIF",
    "NoBeta",
    "Within",
    "convert",
    "from_leaky",
    "named",
    "reset",
    "to_nir",
]
