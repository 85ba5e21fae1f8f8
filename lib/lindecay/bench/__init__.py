"""Speed and memory against other libraries: same work, same process, in turns.

    ratio = median time of the peer / median time of ours

Peers (spikingjelly, norse) take part when they can be imported: `.venv-bench` holds
them (requirements-bench.txt). One thread on every side; CPU time beside wall
time. `bench.device` does it on CUDA.
"""

from lindecay.bench.report import networks, neurons
from lindecay.bench.works import WORKS

__all__ = ["WORKS", "networks", "neurons"]
