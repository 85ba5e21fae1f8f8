"""From the ledger's counts to joules, every constant with a source and a spread.

load()            the table of constants
bill(run)         joules of a run that one has, by layer, program and component
designs(run)      the same network with its update done by every rival

prices   constants scaling sources events memory calibrate    what an event costs
bills    model network layouts                                counts times prices
rivals   baselines compare maps metrics ranges                what it is compared with
doubt    uncertainty                                          Monte Carlo, tornado
answers  answers networks report                              what claims and pages read
gates    gates toggles cells                                  datapaths gate by gate
"""

from lindecay.energy.constants import load
from lindecay.energy.model import LEAKAGE, Bill

__all__ = ["LEAKAGE", "Bill", "bill", "designs", "load"]


def bill(run, constants=None, checkpoint=None, leakage: str = "always on") -> Bill:
    """Joules of a run on the array; nothing is emulated again.

    Args:
        run: what `sram.emulate` returned, in any layout.
        constants: the table (`load()`), or with some values swapped.
        checkpoint: of the run, where it does not carry one (layouts B and C).
        leakage: a key of `LEAKAGE`.

    >>> import numpy as np
    >>> from lindecay import sram
    >>> from lindecay.energy.maps import Point, layer
    >>> ck, clips = layer(Point(B=8, s=4, N=16, rows=128))
    >>> made = bill(sram.emulate(ck, clips))
    >>> made.shape.neurons, round(made.per_sop_pj, 1) > 0
    (16, True)
    """
    from lindecay.energy import model, network  # the array comes with it

    m = network.of_run(run, checkpoint)
    return model.bill(m.ledger, constants, m.shape, leakage)


def designs(run, constants=None, checkpoint=None, leakage: str = "always on") -> list:
    """The array's update and every rival's, as `compare.Design`, on the same run."""
    from lindecay.energy import compare, network
    from lindecay.energy import constants as table

    v = table.values(constants if constants is not None else table.load())
    m = network.of_run(run, checkpoint)
    law = (checkpoint or getattr(run, "checkpoint", None)).law if checkpoint else None
    found = compare.designs(m, v, law=law)
    return [design.leaking(leakage) for design in found]
