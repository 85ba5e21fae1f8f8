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

from lindecay.checkpoints import Checkpoint, Layer
from lindecay.settings import Fault
from lindecay.sram.isa.programs import Leak
from lindecay.sram.place.plans import LayerPlan, Merge
from lindecay.sram.place.spec import MacroSpec


def bits_for(low: int, high: int) -> int:
    """Least width of two's complement that holds [low, high].

    >>> bits_for(-4, 3), bits_for(-4, 4), bits_for(0, 0)
    (3, 4, 1)
    """
    return max(int(high).bit_length(), int(-low - 1).bit_length() if low < 0 else 0) + 1


def _sums(w: np.ndarray, often=None) -> tuple[np.ndarray, np.ndarray]:
    """Most negative and most positive sum of each neuron, int64 [outputs].

    often: how many events of an input a step may hold, int64 [inputs]; 1 by default.
    """
    many = np.ones(w.shape[1], np.int64) if often is None else often
    return _ends(np.ascontiguousarray(w), many)


@njit(cache=True)
def _ends(w, often):
    low, high = np.zeros(len(w), np.int64), np.zeros(len(w), np.int64)
    for j in range(w.shape[0]):
        down = up = np.int64(0)
        for i in range(w.shape[1]):
            value = w[j, i] * often[i]
            down, up = down + min(value, 0), up + max(value, 0)
        low[j], high[j] = down, up
    return low, high


def _sums_of_tiles(w, often, tile_of: np.ndarray, tiles: int) -> list[tuple]:
    """The same for the inputs of each row tile."""
    order = np.argsort(tile_of, kind="stable")
    ends = np.cumsum(np.bincount(tile_of, minlength=tiles))[:-1]
    parts = np.split(w[:, order], ends, axis=1), np.split(often[order], ends)
    return [_sums(*part) for part in zip(*parts)]


def check_layer(ck: Checkpoint, layer: Layer) -> None:
    """Fault unless every weight, θ, λ lies on the grid; names neuron and value."""
    half = 1 << (layer.bits - 1)
    _within(layer, "weight", layer.w, -half, half - 1)
    _within(layer, "theta", layer.row("theta"), 0, ck.v_max)
    _within(layer, "lambda", layer.row("lam"), 0, ck.v_max)
    if layer.beta is not None and ck.law == "exponential":
        _within(layer, "beta", np.atleast_1d(layer.beta), 0, 1 << layer.beta_shift)
    if layer.beta is not None and ck.law == "shift":
        _within(layer, "k of the shift", np.atleast_1d(layer.beta), 0, 31)


def leak_of(ck: Checkpoint, layer: Layer, A: int = 0, signed: bool = False) -> Leak:
    """What the decay program of a layer depends on.

    A β of 2^n (no leak) takes a row more than n: 256 at n = 8 lies in nine rows.
    """
    factors = np.unique(layer.row("beta")).tolist()
    one, n = len(factors) == 1, layer.beta_shift or 0
    told = {"rows": len(set(layer.row("lam").tolist())) > 1, "signed": signed}
    if ck.law == "exponential" and not one:
        told["bits"] = int(factors[-1]).bit_length()
    if ck.law == "shift" and not one:
        told["ks"] = tuple(factors)
    told |= {"rounding": ck.rounding} if ck.law in ("exponential", "shift") else {}
    return Leak(ck.law, ck.B, A, factors[0] if one else 0, n, **told)


def tags_kept(ck: Checkpoint, layer: Layer) -> bool:
    """Whether a late reset must keep its tags in a row: the decay needs their latch."""
    return ck.reset == "late" and leak_of(ck, layer).tags


def _within(layer: Layer, what: str, values: np.ndarray, low: int, high: int) -> None:
    if values.min() < low or values.max() > high:
        bad = np.argwhere((values < low) | (values > high))
        raise Fault(
            f"{layer.name}: {what} does not fit its bits",
            expected=f"{low} to {high}",
            found=f"{values[tuple(bad[0])]} at neuron {bad[0][0]}",
        )


def membrane_rows(ck: Checkpoint, layer: Layer, often=None) -> int:
    """A: rows in which no sum of a step can wrap, at least one above B."""
    down, up = _sums(layer.w, often)
    low, high = int(-down.min()) << ck.f, int(up.max()) << ck.f
    bias = layer.row("bias").tolist()
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
    rows["K"] = leak_of(ck, layer).held + tags_kept(ck, layer)
    bias = layer.row("bias")
    some = layer.bias is not None
    rows["bias"] = bits_for(int(bias.min()), int(bias.max())) if some else 0
    first = np.cumsum([0, *rows.values()]).tolist()
    return dict(zip([*rows, "W"], first)), rows["bias"]


def _deal(inputs: int, room: list[int], how: str) -> tuple[np.ndarray, np.ndarray]:
    """Row tile and slot of each input."""
    slots = [(slot, tile) for tile, n in enumerate(room) for slot in range(n)]
    if how == "turn":
        slots.sort()
    slot, tile = np.array(slots[:inputs], np.int64).reshape(-1, 2).T
    return tile.copy(), slot.copy()


def plan_layer(ck: Checkpoint, layer: Layer, spec: MacroSpec, often=None) -> LayerPlan:
    """Lay one fully connected layer onto macros.

    Args:
        ck: law, reset and grid of this layer (`Checkpoint.of`).
        often: events of an input that a step may hold, int64 [inputs]; 1 by default.

    Raises:
        Fault: names the dimension that does not fit and the least that would do.
    """
    check_layer(ck, layer)
    outputs, inputs = layer.w.shape
    often = np.ones(inputs, np.int64) if often is None else often
    A = membrane_rows(ck, layer, often)
    bases, bias_bits = _home(ck, layer, A)
    low, high = _sums(layer.w, often)
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
    bounds = _sums_of_tiles(layer.w, often, tile_of, more + 1)
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
