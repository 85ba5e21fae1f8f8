"""Dynamic energy across node and supply: E(V) = a V^2 + b V + c for each node.

Stillmaker and Baas 2017 (Integration 58:74-81), fits to circuit simulations. The
coefficients were read in a public implementation, the 65 nm row against the authors'
erratum; the paper itself was not at hand. Between nodes there is no anchor: a chip
at 28 nm gets a band, from its neighbours in the table.
"""

from lindecay.settings import Fault

ENERGY = {  # node in nm: a (1/V^2), b (1/V), c
    130: (7.171, -6.709, 2.904),
    90: (4.762, -4.781, 2.092),
    65: (3.755, -4.398, 1.975),
    45: (1.103, -0.362, 0.2767),
    32: (0.9559, -0.7823, 0.471),
    20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024),
    14: (0.2363, -0.09675, 0.02239),
    10: (0.2068, -0.09311, 0.02375),
    7: (0.1776, -0.09097, 0.02447),
}
HEADLINE = (65, 1.0)  # nm, V: the one node and the one supply of every sum
TOP = 1.3  # V: none of our sources lies above


def lowest(node: int) -> float:
    """Supply in V below which the fit is refused: 1.1 times its minimum.

    A parabola turns where a CMOS gate does not, so near -b / 2a it says nothing.

    >>> round(lowest(65), 2)
    0.64
    """
    a, b, _ = ENERGY[node]
    return 1.1 * -b / (2 * a)


def energy(node: int, vdd_v: float) -> float:
    """Relative switching energy of one gate, in the units of the fit.

    Raises:
        Fault: a node outside the table, or a supply outside its validity.
    """
    if node not in ENERGY:
        known = ", ".join(map(str, sorted(ENERGY)))
        raise Fault("no scaling for this node", expected=known, found=f"{node} nm")
    if not lowest(node) <= vdd_v <= TOP:
        span = f"{lowest(node):.2f} to {TOP} V"
        raise Fault("supply outside the fit", expected=span, found=f"{vdd_v} V")
    a, b, c = ENERGY[node]
    return a * vdd_v**2 + b * vdd_v + c


def factor(node: int, vdd_v: float, to: tuple[int, float] = HEADLINE) -> float:
    """Multiply an energy at (node, vdd_v) by this to have it at `to`.

    >>> round(factor(65, 0.8), 3), round(factor(65, 0.85), 2)
    (1.549, 1.4)
    >>> round(factor(45, 0.9), 3)
    1.578
    """
    return energy(*to) / energy(node, vdd_v)


def neighbours(node: int) -> tuple[int, int]:
    """The nodes of the table around this one, larger first; itself twice if there.

    >>> neighbours(28), neighbours(14)
    ((32, 20), (14, 14))
    """
    above = min(n for n in ENERGY if n >= node)
    below = max(n for n in ENERGY if n <= node)
    return above, below


def band(node: int, vdd_v: float) -> tuple[float, float]:
    """Factors to the headline by both neighbours; wide where the node has no row.

    >>> [round(f, 1) for f in band(28, 0.56)]
    [4.0, 19.2]
    """
    return tuple(sorted(factor(n, vdd_v) for n in neighbours(node)))
