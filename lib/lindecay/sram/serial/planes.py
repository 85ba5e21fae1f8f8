"""256 columns in one value: a plane, for numba.

    plane = 4 words of 64 columns;  &, |, ^ and popcount act on all columns at once

A macro of 256 columns is one plane. numba has
no vector type of its own; this is the least that the array needs.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WORDS = 4  # uint64 words of a plane: one register of AVX2
COLUMNS = 64 * WORDS

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_I64, WORDS)


class PlaneType(types.Type):
    """The type of 256 columns."""

    def __init__(self):
        super().__init__("Plane")


plane = PlaneType()


@register_model(PlaneType)
class _PlaneModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _VECTOR)


def _binary(op, name):
    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and all(a == plane for a in args):
                return signature(plane, plane, plane)

    @lower_builtin(op, PlaneType, PlaneType)
    def _lower(context, builder, sig, args):
        return getattr(builder, name)(*args)


for _op, _name in (
    (operator.and_, "and_"),
    (operator.or_, "or_"),
    (operator.xor, "xor"),
    (operator.add, "add"),  # word by word, for sums of popcounts
):
    _binary(_op, _name)


def _address(context, builder, kind, array, index):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def load(typing, words, start):
    """The plane words[start : start + 4] of a contiguous uint64 array."""

    def codegen(context, builder, sig, args):
        value = builder.load(_address(context, builder, sig.args[0], *args))
        value.align = 8
        return value

    return plane(words, types.intp), codegen


@intrinsic
def store(typing, words, start, value):
    """words[start : start + 4] = value."""

    def codegen(context, builder, sig, args):
        where = _address(context, builder, sig.args[0], args[0], args[1])
        builder.store(args[2], where).align = 8
        return context.get_dummy_value()

    return types.void(words, types.intp, plane), codegen


@intrinsic
def splat(typing, word):
    """The plane whose four words are all `word` (uint64)."""

    def codegen(context, builder, sig, args):
        empty = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(empty, args[0], ir.Constant(_I32, 0))
        lanes = ir.Constant(ir.VectorType(_I32, WORDS), [0] * WORDS)
        return builder.shuffle_vector(first, empty, lanes)

    return plane(types.uint64), codegen


@intrinsic
def ones(typing, value):
    """Ones in each word of a plane, as a plane of four counts."""

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        name = f"llvm.ctpop.v{WORDS}i64"
        count = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(count, args)

    return plane(plane), codegen


@intrinsic
def total(typing, counts):
    """Sum of a plane's four words, int64."""

    def codegen(context, builder, sig, args):
        words = [ir.Constant(_I32, k) for k in range(WORDS)]
        found = [builder.extract_element(args[0], k) for k in words]
        out = found[0]
        for word in found[1:]:
            out = builder.add(out, word)
        return out

    return types.int64(plane), codegen


def aligned(words: np.ndarray) -> np.ndarray:
    """A flat copy that starts at a multiple of 64 bytes, as a plane likes it.

    A plane across two cache lines takes twice as long, or longer after a store.
    """
    room = np.zeros(words.size + WORDS, np.uint64)
    first = -(room.ctypes.data // 8) % WORDS
    room[first : first + words.size] = words.reshape(-1)
    return room[first : first + words.size]


def pack(bits: np.ndarray) -> np.ndarray:
    """Columns [..., n] of 0 and 1 as uint64 words [..., 4 * ceil(n / 256)].

    >>> pack(np.array([1, 0, 1], bool))[0]
    np.uint64(5)
    """
    bits = np.asarray(bits)
    packed = np.packbits(bits, axis=-1, bitorder="little")  # what is not 0 is 1
    out = np.zeros(
        (*packed.shape[:-1], 8 * WORDS * -(-bits.shape[-1] // COLUMNS)), np.uint8
    )
    out[..., : packed.shape[-1]] = packed
    return out.view("<u8").astype(np.uint64)


def unpack(words: np.ndarray, columns: int) -> np.ndarray:
    """The inverse of `pack`: bool [..., columns]."""
    raw = np.ascontiguousarray(words.astype("<u8")).view(np.uint8)
    return np.unpackbits(raw, axis=-1, bitorder="little")[..., :columns].astype(bool)
