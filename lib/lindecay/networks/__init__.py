"""The networks of the book: one layer on the grid, and short lists of it.

    layer    synapses, normalisation or none, neurons: `SpikingLayer`
    decays   what an optimiser moves, and the rows of the array that come of it
    mlp      MLP-1 for N-MNIST: 2312-512-10
    cnn      the CNN for DVS Gesture: two convolutions and a readout
    speech   MLP-2 for SHD: normalised, a decay for each neuron

A network holds its layers in order, returns (spikes, membranes) of each, and is
exported as whole numbers by the one method that all of them share.
"""

from lindecay.arms import ARMS, BETA_BITS, USUAL, Arm
from lindecay.networks.cnn import Cnn, CnnSpec, Conv
from lindecay.networks.layer import Network, Neurons, SpikingLayer
from lindecay.networks.mlp import Mlp, MlpSpec
from lindecay.networks.speech import SpeechMlp, SpeechSpec

__all__ = [
    "ARMS",
    "BETA_BITS",
    "USUAL",
    "Arm",
    "Cnn",
    "CnnSpec",
    "Conv",
    "Mlp",
    "MlpSpec",
    "Network",
    "Neurons",
    "SpeechMlp",
    "SpeechSpec",
    "SpikingLayer",
]
