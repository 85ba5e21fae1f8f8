"""Neurons for snnTorch: linear decay and the laws that it is compared with."""

from lindecay.neurons.convert import convert, from_leaky
from lindecay.neurons.exchange import to_nir
from lindecay.neurons.lif import Above, LinearDecayLIF, NoBeta, Within, reset
from lindecay.neurons.surrogates import named

__all__ = [
    "Above",
    "LinearDecayLIF",
    "NoBeta",
    "Within",
    "convert",
    "from_leaky",
    "named",
    "reset",
    "to_nir",
]
