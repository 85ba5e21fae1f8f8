"""lindecay: linear-decay spiking neurons, from events to joules in an SRAM array."""

__version__ = "0.1.0"

from lindecay.compiled import forget_stale as _forget_stale

_forget_stale()
