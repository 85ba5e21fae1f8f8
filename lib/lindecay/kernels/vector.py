"""One hot loop written as vectors, because the compiler keeps its sums in memory.

    total = Σ table[index[e]] for e in [first, last)

Rows of 64 numbers; the sums stay in registers (four vectors of 16), which halves the
work per event against the loop that numba compiles. LLVM splits the vectors to what
the processor has.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WIDTH, LANES = 64, 16


@intrinsic
def add_rows_of(context, table, index, first, last, total):
    """total[:64] = the sum, in the order of the events."""
    if table.layout != "C" or total.layout != "C" or index.layout != "C":
        raise TypeError("add_rows_of needs contiguous arrays")
    return types.void(table, index, types.intp, types.intp, total), _emit


def _emit(context, builder, signature, arguments):
    table, index, first, last, total = arguments
    kinds = [signature.args[k] for k in (0, 1, 4)]
    table, index, total = (
        context.make_array(kind)(context, builder, value).data
        for kind, value in zip(kinds, (table, index, total))
    )
    number = context.get_data_type(kinds[0].dtype)
    vector = ir.VectorType(number, LANES)
    size = kinds[0].dtype.bitwidth // 8
    sums = [cgutils.alloca_once(builder, vector) for _ in range(WIDTH // LANES)]
    for one in sums:
        builder.store(ir.Constant(vector, None), one)
    step = ir.Constant(first.type, 1)
    with cgutils.for_range_slice(builder, first, last, step) as (e, _):
        row = builder.zext(builder.load(builder.gep(index, [e])), first.type)
        start = builder.mul(row, ir.Constant(first.type, WIDTH))
        for k, one in enumerate(sums):
            value = _load(builder, table, start, k, vector, size)
            builder.store(builder.fadd(builder.load(one), value), one)
    for k, one in enumerate(sums):
        zero = ir.Constant(first.type, 0)
        place = _place(builder, total, zero, k, vector)
        builder.store(builder.load(one), place).align = size
    return context.get_dummy_value()


def _place(builder, data, start, k, vector):
    at = builder.add(start, ir.Constant(start.type, k * LANES))
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _load(builder, data, start, k, vector, size):
    value = builder.load(_place(builder, data, start, k, vector))
    value.align = size
    return value
