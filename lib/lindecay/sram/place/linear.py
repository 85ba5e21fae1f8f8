"""Where a layer lies: rows of the home tile, row tiles, column tiles, merging.

    columns: neuron j stands in column j % C of column tile j // C
    rows:    the home tile holds V (A rows) and weights; other row tiles hold a partial
             sum and weights; partial sums are merged into home at the end of a step

Inputs are dealt to the row tiles in turn, so that neighbouring pixels do not queue at
one tile. Widths come from the trained weights: no sum can wrap, in any order of events.

    A = bits of [V_min - max_j sum(w < 0) 2^f, V_max + max_j sum(w > 0) 2^f]
"""

import numpy as np
from numba import njit

from lindecay.quantization import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram.place.plans import LayerPlan, Merge
from lindecay.sram.place.spec import MacroSpec


def bits_for(low: int, high: int) -> int:
    """Least width of two's complement that holds [low, high].

    >>> bits_for(-4, 3), bits_for(-4, 4), bits_for(0, 0)
    (3, 4, 1)
    """
    return max(int(high).bit_length(), int(-low - 1).bit_length() if low < 0 else 0) + 1


def _sums(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Most negative and most positive sum of each neuron, int64 [outputs]."""
    return _ends(np.ascontiguousarray(w))


@njit(cache=True)
def _ends(w):
    low, high = np.zeros(len(w), np.int64), np.zeros(len(w), np.int64)
    for j in range(w.shape[0]):
        down = up = np.int32(0)
        for i in range(w.shape[1]):
            value = np.int32(w[j, i])
            down, up = down + min(value, np.int32(0)), up + max(value, np.int32(0))
        low[j], high[j] = down, up
    return low, high


def _sums_of_tiles(w: np.ndarray, tile_of: np.ndarray, tiles: int) -> list[tuple]:
    """The same for the inputs of each row tile."""
    order = np.argsort(tile_of, kind="stable")
    ends = np.cumsum(np.bincount(tile_of, minlength=tiles))[:-1]
    return [_sums(part) for part in np.split(w[:, order], ends, axis=1)]


def check_layer(ck: Checkpoint, layer: Layer) -> None:
    """Fault unless every weight, θ, λ lies on the grid; names neuron and value."""
    half = 1 << (layer.bits - 1)
    _within(layer, "weight", layer.w, -half, half - 1)
    _within(layer, "theta", layer.row("theta"), 0, ck.v_max)
    _within(layer, "lambda", layer.row("lam"), 0, ck.v_max)
    if layer.beta is not None and ck.law == "exponential":
        most = (1 << layer.beta_shift) - 1
        _within(layer, "beta", np.atleast_1d(layer.beta), 0, most)
    if ck.reset == "late" and ck.law in ("shrink", "floor", "drift"):
        raise Fault(
            f"{layer.name}: a late reset has no array form under the law {ck.law!r}",
            expected="reset at once: the decay needs the tag that the spike left",
            found="reset 'late'",
        )
    if layer.beta is not None and np.size(layer.beta) != 1:
        raise Fault(
            f"{layer.name}: beta per neuron has no program",
            expected="one beta for the layer",
            found=f"{np.size(layer.beta)}",
        )


def _within(layer: Layer, what: str, values: np.ndarray, low: int, high: int) -> None:
    if values.min() < low or values.max() > high:
        bad = np.argwhere((values < low) | (values > high))
        raise Fault(
            f"{layer.name}: {what} does not fit its bits",
            expected=f"{low} to {high}",
            found=f"{values[tuple(bad[0])]} at neuron {bad[0][0]}",
        )


def membrane_rows(ck: Checkpoint, layer: Layer) -> int:
    """A: rows in which no sum of a step can wrap, at least one above B."""
    low, high = (int(s.max()) << ck.f for s in (-_sums(layer.w)[0], _sums(layer.w)[1]))
    bias = [0] if layer.bias is None else layer.bias.tolist()
    low, high = low - min(0, *bias, 0), high + max(0, *bias, 0)
    if ck.law in ("drift", "floor_after"):
        low += int(layer.row("lam").max())
    width = bits_for(ck.v_min - low, ck.v_max + high)
    return max(width, ck.B + 1, ck.f + layer.bits, bits_for(min(bias), max(bias)))


def _home(ck: Checkpoint, layer: Layer, A: int) -> tuple[dict[str, int], int]:
    """First rows of each space of the home tile, and the bits of the bias."""
    rows = {"V": A}
    rows["L"] = ck.B - 1 if len(set(layer.row("lam").tolist())) > 1 else 0
    rows["H"] = ck.B - 1 if len(set(layer.row("theta").tolist())) > 1 else 0
    rows["M"] = ck.B + layer.beta_shift if ck.law == "exponential" else 0
    bias = layer.bias
    rows["bias"] = 0 if bias is None else bits_for(int(bias.min()), int(bias.max()))
    first = np.cumsum([0, *rows.values()]).tolist()
    return dict(zip([*rows, "W"], first)), rows["bias"]


def _deal(inputs: int, room: list[int], how: str) -> tuple[np.ndarray, np.ndarray]:
    """Row tile and slot of each input."""
    slots = [(slot, tile) for tile, n in enumerate(room) for slot in range(n)]
    if how == "turn":
        slots.sort()
    slot, tile = np.array(slots[:inputs], np.int64).reshape(-1, 2).T
    return tile.copy(), slot.copy()


def plan_layer(ck: Checkpoint, layer: Layer, spec: MacroSpec) -> LayerPlan:
    """Lay one fully connected layer onto macros.

    Raises:
        Fault: names the dimension that does not fit and the least that would do.
    """
    check_layer(ck, layer)
    outputs, inputs = layer.w.shape
    A = membrane_rows(ck, layer)
    bases, bias_bits = _home(ck, layer, A)
    low, high = _sums(layer.w)
    sum_rows = max(bits_for(int(low.min()), int(high.max())), layer.bits)
    at_home = max(spec.rows - bases["W"], 0) // layer.bits
    elsewhere = max(spec.rows - sum_rows, 0) // layer.bits
    least = bases["W"] if elsewhere else max(bases["W"], sum_rows + layer.bits)
    if bases["W"] > spec.rows or (inputs > at_home and not elsewhere):
        raise Fault(
            f"layer {layer.name} does not fit a macro",
            expected=f"at least {least} rows",
            found=f"{spec.rows}",
            do=f"use MacroSpec(rows={least}) or fewer membrane bits.",
        )
    more = max(0, -(-(inputs - at_home) // max(elsewhere, 1)))
    tile_of, slot_of = _deal(inputs, [at_home] + [elsewhere] * more, spec.deal)
    bounds = _sums_of_tiles(layer.w, tile_of, more + 1)
    return LayerPlan(
        name=layer.name,
        inputs=inputs,
        outputs=outputs,
        bits=layer.bits,
        B=ck.B,
        A=A,
        f=ck.f,
        bases=bases,
        bias_bits=bias_bits,
        sum_rows=sum_rows,
        tile_of=tile_of,
        slot_of=slot_of,
        widths=(A - ck.f, *(_width(b, layer.bits) for b in bounds[1:])),
        merges=tuple(_merges(bounds, A, ck.f, layer.bits, spec.merge)),
        rows=spec.rows,
        cols=spec.cols,
    )


def _width(bound: tuple[np.ndarray, np.ndarray], bits: int) -> int:
    return max(bits_for(int(bound[0].min()), int(bound[1].max())), bits)


def _merges(bounds, A: int, f: int, bits: int, how: str):
    """Pairs of tiles, round by round, with the widths that their sums can need."""
    active, done = list(range(len(bounds))), 0
    bounds = list(bounds)
    while len(active) > 1:
        pairs = list(zip(active[::2], active[1::2])) if how == "tree" else [active[:2]]
        for dst, src in pairs:
            sent, own = _width(bounds[src], bits), _width(bounds[dst], bits)
            bounds[dst] = tuple(a + b for a, b in zip(bounds[dst], bounds[src]))
            if dst == 0:
                yield Merge(done, dst, src, f, A - f, sent, A - f)
            else:
                yield Merge(done, dst, src, 0, own, sent, _width(bounds[dst], bits))
        gone = {src for _, src in pairs}
        active, done = [t for t in active if t not in gone], done + 1
