"""Hot loops written as vectors, because the compiler keeps their sums in memory.

    total[at] += Σ table[index[e]] for e in [first, last)
    mask of the 16 numbers from `at` on that are not zero, or of bytes below a limit

Rows of 64 numbers, floating-point or whole; the sums stay in registers (four vectors
of 16), which halves the work per event against the loop that numba compiles. LLVM
splits the vectors to what the processor has.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WIDTH, LANES = 64, 16


@intrinsic
def add_rows_of(context, table, index, first, last, total, at):
    """total[at] += the sum, in the order of the events; rows of 64 numbers."""
    if table.layout != "C" or total.layout != "C" or index.layout != "C":
        raise TypeError("add_rows_of needs contiguous arrays")
    return types.void(table, index, types.intp, types.intp, total, types.intp), _emit


def _emit(context, builder, signature, arguments):
    table, index, first, last, total, at = arguments
    kinds = [signature.args[k] for k in (0, 1, 4)]
    table, index, total = (
        context.make_array(kind)(context, builder, value).data
        for kind, value in zip(kinds, (table, index, total))
    )
    number = context.get_data_type(kinds[0].dtype)
    add = builder.add if isinstance(kinds[0].dtype, types.Integer) else builder.fadd
    vector = ir.VectorType(number, LANES)
    size = kinds[0].dtype.bitwidth // 8
    sums = [cgutils.alloca_once(builder, vector) for _ in range(WIDTH // LANES)]
    home = builder.mul(at, ir.Constant(at.type, WIDTH))
    for k, one in enumerate(sums):
        builder.store(_load(builder, total, home, k, vector, size), one)
    step = ir.Constant(first.type, 1)
    with cgutils.for_range_slice(builder, first, last, step) as (e, _):
        row = builder.zext(builder.load(builder.gep(index, [e])), first.type)
        start = builder.mul(row, ir.Constant(first.type, WIDTH))
        for k, one in enumerate(sums):
            value = _load(builder, table, start, k, vector, size)
            builder.store(add(builder.load(one), value), one)
    for k, one in enumerate(sums):
        place = _place(builder, total, home, k, vector)
        builder.store(builder.load(one), place).align = size
    return context.get_dummy_value()


def _place(builder, data, start, k, vector):
    at = builder.add(start, ir.Constant(start.type, k * LANES))
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _load(builder, data, start, k, vector, size):
    value = builder.load(_place(builder, data, start, k, vector))
    value.align = size
    return value


@intrinsic
def nonzero(context, array, at):
    """Bit k is set where array.flat[at + k] is not zero, k < 16."""
    if array.layout != "C":
        raise TypeError("nonzero needs a contiguous array")

    def emit(context, builder, signature, arguments):
        value = _sixteen(context, builder, signature.args[0], *arguments)
        return _bits(builder, _not(builder, value, ir.Constant(value.type, None)))

    return types.int64(array, types.intp), emit


@intrinsic
def others(context, array, at, value):
    """Bit k is set where array.flat[at + k] is neither zero nor `value`, k < 16."""
    if array.layout != "C":
        raise TypeError("others needs a contiguous array")

    def emit(context, builder, signature, arguments):
        read = _sixteen(context, builder, signature.args[0], *arguments[:2])
        on = _not(builder, read, ir.Constant(read.type, None))
        told = _not(builder, read, _spread(builder, arguments[2], read.type))
        return _bits(builder, builder.and_(on, told))

    return types.int64(array, types.intp, array.dtype), emit


@intrinsic
def below(context, array, at, limit):
    """Bit k is set where the byte array.flat[at + k] is below `limit`, k < 16."""
    if array.layout != "C" or array.dtype != types.uint8:
        raise TypeError("below needs contiguous bytes")

    def emit(context, builder, signature, arguments):
        read = _sixteen(context, builder, signature.args[0], *arguments[:2])
        limits = _spread(builder, arguments[2], read.type)
        return _bits(builder, builder.icmp_unsigned("<", read, limits))

    return types.int64(array, types.intp, types.uint8), emit


def _sixteen(context, builder, kind, array, at):
    """The 16 numbers of a contiguous array from `at` on."""
    data = context.make_array(kind)(context, builder, array).data
    vector = ir.VectorType(context.get_data_type(kind.dtype), LANES)
    return _load(builder, data, at, 0, vector, kind.dtype.bitwidth // 8)


def _not(builder, one, other):
    """Lanes of numbers that differ."""
    return builder.fcmp_unordered("!=", one, other)


def _bits(builder, lanes):
    """16 lanes of one bit as a whole number."""
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), ir.IntType(64))


def _spread(builder, value, vector):
    """A vector whose lanes all are `value`."""
    first, lanes = ir.Constant(ir.IntType(32), 0), ir.VectorType(ir.IntType(32), LANES)
    one = builder.insert_element(ir.Constant(vector, None), value, first)
    return builder.shuffle_vector(one, one, ir.Constant(lanes, None))


@intrinsic
def product_sum(context, a, b, c):
    """a · b + c, rounded once, as torch.addcmul does."""

    def emit(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return a(a, a, a), emit


@intrinsic
def lowest(context, mask):
    """Place of the lowest bit that is set."""

    def emit(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), emit
