"""How layouts B and C add: in whole numbers, or bit by bit through their own adders.

    ripple:  s_k = x_k ^ y_k ^ c_k,   c_(k+1) = majority(x_k, y_k, c_k)

`Whole` is quick; `Ripple` and its trees of adders are the bit tier, for samples. Both
give the same membranes, or a proof on samples says where they do not.
"""

import numpy as np


class Whole:
    """Additions of whole numbers."""

    @staticmethod
    def add(x, y, carry=0, width: int = 0) -> np.ndarray:
        """x + y + carry; int64 of any shape, in two's complement of `width` bits."""
        return x + y + carry

    @staticmethod
    def ones(bits: np.ndarray) -> np.ndarray:
        """How many bits are set along axis 1, int64."""
        return bits.sum(1)


class Ripple:
    """Additions by full adders, a bit after the other."""

    @staticmethod
    def add(x, y, carry=0, width: int = 40) -> np.ndarray:
        """The same from bits alone; what leaves `width` bits is lost.

        >>> Ripple.add(np.array([5, -5]), ~np.array([3, 3]), 1, 8)
        array([ 2, -8])
        """
        x, y, c = np.broadcast_arrays(*(np.asarray(v, np.int64) for v in (x, y, carry)))
        out, c = np.zeros(x.shape, np.int64), c.astype(bool)
        for k in range(width):
            a, b = (x >> k & 1).astype(bool), (y >> k & 1).astype(bool)
            out |= (a ^ b ^ c).astype(np.int64) << k
            c = (a & b) | (c & (a ^ b))
        return out - ((out >> (width - 1)) << width)

    @classmethod
    def ones(cls, bits: np.ndarray) -> np.ndarray:
        """The ones along axis 1 through a tree of adders, a level a bit wider."""
        level, width = np.moveaxis(bits, 1, 0).astype(np.int64), 2
        if not len(level):
            return np.zeros(level.shape[1:], np.int64)
        while len(level) > 1:
            if len(level) % 2:
                level = np.concatenate([level, np.zeros_like(level[:1])])
            level, width = cls.add(level[::2], level[1::2], 0, width + 1), width + 1
        return level[0]
