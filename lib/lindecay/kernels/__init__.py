"""The time loop of spiking neurons, forward and backward, for whole sequences.

    D = decay(V); U = clamp(D + I); S = [U > θ]; V = U − θ·S        (one step)

One public door, `sequence`; numba on CPU, Triton on CUDA, plain torch for everything
else, with the same spikes. Source of the adjoint: book/02_neuron.md.
"""

from lindecay.kernels.dropout import Dropped
from lindecay.kernels.moments import Moments
from lindecay.kernels.planes import convolve, max_pool
from lindecay.kernels.rule import Rule
from lindecay.kernels.sparse import Events, synapses
from lindecay.kernels.time_loop import check_parameters, sequence, settle

__all__ = [
    "Dropped",
    "Events",
    "Moments",
    "Rule",
    "check_parameters",
    "convolve",
    "max_pool",
    "sequence",
    "settle",
    "synapses",
]
