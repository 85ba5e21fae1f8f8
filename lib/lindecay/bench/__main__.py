"""Peak memory of one call in a fresh process: python -m lindecay.bench WORK WHO."""

import sys

import torch

from lindecay.bench import timing
from lindecay.bench.works import MEMORY


def main(name: str, who: str) -> None:
    """Warm up on a small problem of the same kind, then measure the real one."""
    torch.set_num_threads(1)
    small, real = MEMORY[name]
    for _ in range(2):
        pick(small(), who)()
    print(timing.peak(pick(real(), who)))


def pick(work: timing.Work, who: str):
    """One side of a work."""
    return work.ours if who == "ours" else work.peers[who]


if __name__ == "__main__":
    main(*sys.argv[1:])
