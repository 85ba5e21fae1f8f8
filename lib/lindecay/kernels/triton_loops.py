"""The time loop for GPUs, forward and adjoint, compiled by Triton: as `fused`, in turn.

    forward    U[t] = clamp(d(V[t−1]) + I[t]),  S = [U > θ],  V = reset(U, S)
    backward   g = δ[t+1]·d'(V[t]);  δ[t] = (reset'(g) + g_S·σ'(U[t] − θ))·[inside]

One program takes a block of neurons through all time steps; their state never leaves
its registers. Flat tensors [T, many]; leak and threshold repeat after `leaks` and
`thetas` neurons. Source of the adjoint: book/02_neuron.md.
"""

try:
    import triton
    from triton import language as tl

    jit, constexpr = triton.jit, tl.constexpr  # by these names Triton knows them
except ModuleNotFoundError:  # to be read, not to be run: `gpu.here` looks first
    tl, constexpr = None, object

    def jit(function):
        """The function as it is."""
        return function


@jit
def whole_number(x, ROUND: constexpr):
    """A whole number near x; ROUND as in rule.ROUNDINGS."""
    size = tl.abs(x)
    if ROUND == "nearest":  # ties away from zero
        near = tl.floor(size + 0.5)
    elif ROUND == "floor":
        near = tl.where(x < 0, -tl.floor(x), tl.floor(x))
    elif ROUND == "trunc":  # towards zero
        near = tl.floor(size)
    elif ROUND == "ceil":
        near = tl.where(x < 0, -tl.ceil(x), tl.ceil(x))
    else:  # half_in: nearest, ties towards zero
        near = tl.ceil(size - 0.5)
    return tl.where(x < 0, -near, near)


@jit
def decay(v, p, power, LAW: constexpr, WHOLE: constexpr, ROUND: constexpr):
    """d(V); `power` = 2^−shift."""
    if LAW == "shrink":
        left = tl.abs(v) - p
        left = tl.where(left < 0, 0.0, left)
        d = tl.where(v < 0, -left, left)
    elif LAW == "floor":
        d = tl.where(v - p < 0, 0.0, v - p)
    elif LAW == "drift":
        d = v - p
    elif LAW == "exponential":
        if WHOLE:
            d = whole_number(p * v * power, ROUND)
        else:
            d = p * v
    elif LAW == "shift":
        d = v - whole_number(v * power, ROUND)
    else:
        d = v
    return d


@jit
def slope(v, p, power, LAW: constexpr, WHOLE: constexpr):
    """∂d/∂V, shaped as V."""
    one = v * 0 + 1
    if LAW == "shrink":
        d = tl.where(tl.abs(v) > p, one, 0.0)
    elif LAW == "floor":
        d = tl.where(v > p, one, 0.0)
    elif LAW == "exponential":
        if WHOLE:
            d = one * (p * power)
        else:
            d = one * p
    elif LAW == "shift":
        d = one - power
    else:
        d = one
    return d


@jit
def tilt(v, p, power, LAW: constexpr, WHOLE: constexpr):
    """∂d/∂parameter, shaped as V."""
    one = v * 0 + 1
    if LAW == "shrink":
        sign = tl.where(v > 0, -one, one)
        d = tl.where(tl.abs(v) > p, sign, 0.0)
    elif LAW == "floor":
        d = tl.where(v > p, -one, 0.0)
    elif LAW == "exponential":
        if WHOLE:
            d = v * power
        else:
            d = v
    elif LAW == "drift":
        d = -one
    else:
        d = one * 0
    return d


@jit
def bump(x, k, atan, half_k, SURROGATE: constexpr):
    """σ'(x), as in snntorch.surrogate; atan = k·π/2, half_k = k/2."""
    one = x * 0 + 1
    if SURROGATE == "fast_sigmoid":
        y = one / (one + k * tl.abs(x))
        d = y * y
    elif SURROGATE == "atan":
        y = atan * x
        d = half_k / (one + y * y)
    elif SURROGATE == "sigmoid":
        y = tl.exp(-k * tl.abs(x))
        d = k * y / ((one + y) * (one + y))
    else:
        d = one
    return d


@jit
def forward(
    current, state, spikes, membrane, good, leak, theta, const,
    steps, many, leaks, thetas,
    LAW: constexpr, RESET: constexpr, DELAYED: constexpr, CLAMP: constexpr,
    WHOLE: constexpr, ROUND: constexpr, BLOCK: constexpr,
):  # fmt: skip
    """Writes S and U, and to `good` whether all inputs of a block are finite."""
    block = tl.program_id(0)
    at = tl.cast(block, tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < many
    p = tl.load(leak + at % leaks, mask=there, other=0.0)
    th = tl.load(theta + at % thetas, mask=there, other=1.0)
    v = tl.load(state + at, mask=there, other=0.0)
    power, low, high = tl.load(const + 3), tl.load(const + 4), tl.load(const + 5)
    huge = tl.load(const + 6)
    finite = at >= 0
    for _ in range(steps):
        i = tl.load(current + at, mask=there, other=0.0)
        finite = finite & (tl.abs(i) <= huge)
        late = v > th
        if DELAYED and RESET == "zero":
            v = tl.where(late, 0.0, v)
        if LAW == "floor_after":
            u = v + i - p
            u = tl.where(u < 0, 0.0, u)
        else:
            u = decay(v, p, power, LAW, WHOLE, ROUND) + i
        if DELAYED and RESET == "subtract":
            u = tl.where(late, u - th, u)
        if CLAMP:
            u = tl.where(u < low, low, u)
            u = tl.where(u > high, high, u)
        fires = u > th
        tl.store(membrane + at, u, mask=there)
        tl.store(spikes + at, fires.to(u.dtype), mask=there)
        v = u
        if RESET == "subtract" and not DELAYED:
            v = tl.where(fires, u - th, u)
        if RESET == "zero" and not DELAYED:
            v = tl.where(fires, 0.0, u)
        at += many
    tl.store(good + block, tl.min(finite.to(tl.int32), 0))


@jit
def backward(
    gs, gu, membrane, carry, grad, gleak, gtheta, leak, theta, const,
    steps, many, leaks, thetas,
    LAW: constexpr, RESET: constexpr, DELAYED: constexpr, DETACH: constexpr,
    CLAMP: constexpr, WHOLE: constexpr, SURROGATE: constexpr, SAME: constexpr,
    OUTER: constexpr, LEARN: constexpr, BLOCK: constexpr,
):  # fmt: skip
    """Writes g_I, δ[0] to `carry` and, a sum over time for each neuron, the gradients
    of leak and threshold. SAME: one row of g_S serves all steps; OUTER: U has a
    gradient of its own; LEARN: so have the parameters."""
    j = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = j < many
    p = tl.load(leak + j % leaks, mask=there, other=0.0)
    th = tl.load(theta + j % thetas, mask=there, other=1.0)
    power, low, high = tl.load(const + 3), tl.load(const + 4), tl.load(const + 5)
    inverse, k = tl.load(const + 7), tl.load(const + 8)
    atan, half_k = tl.load(const + 9), tl.load(const + 10)
    at = j + tl.cast(steps - 1, tl.int64) * many
    ahead = tl.zeros([BLOCK], p.dtype)  # δ[t+1]
    gp, gth = tl.zeros([BLOCK], tl.float64), tl.zeros([BLOCK], tl.float64)
    for _ in range(steps):
        u = tl.load(membrane + at, mask=there, other=0.0)
        if SAME:
            gspike = tl.load(gs + j, mask=there, other=0.0)
        else:
            gspike = tl.load(gs + at, mask=there, other=0.0)
        fires = u > th
        v = u
        if RESET == "subtract" and not DELAYED:
            v = tl.where(fires, u - th, u)
        if RESET == "zero":
            v = tl.where(fires, 0.0, u)
        g = ahead * slope(v, p, power, LAW, WHOLE)
        if LEARN and LAW != "floor_after":
            gp += (ahead * tilt(v, p, power, LAW, WHOLE)).to(tl.float64)
        sigma = bump((u - th) * inverse, k, atan, half_k, SURROGATE) * inverse
        if RESET == "subtract":
            late = g
            if DELAYED:
                late = ahead
            if not DETACH:
                gspike -= th * late
            if LEARN:
                gth -= tl.where(fires, late, 0.0).to(tl.float64)
        if RESET == "zero":
            if not DETACH:
                gspike -= u * g
            g = tl.where(fires, 0.0, g)
        if OUTER:
            g += tl.load(gu + at, mask=there, other=0.0)
        if LEARN:
            gth -= (gspike * sigma).to(tl.float64)
        g += gspike * sigma
        if CLAMP:
            g = tl.where((u > low) & (u < high), g, 0.0)
        if LAW == "floor_after":
            g = tl.where(u > 0, g, 0.0)
            if LEARN:
                gp -= g.to(tl.float64)
        tl.store(grad + at, g, mask=there)
        ahead = g
        at -= many
    tl.store(carry + j, ahead, mask=there)
    if LEARN:
        tl.store(gleak + j, gp, mask=there)
        tl.store(gtheta + j, gth, mask=there)
