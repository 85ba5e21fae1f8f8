"""Decay laws, matching rules and closed forms against brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from lindecay import decay, kernels
from lindecay.settings import Fault

BETAS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
numbers = st.floats(-100, 100, allow_nan=False, width=32)
leaks = st.floats(0, 10, allow_nan=False, width=32)


@settings(deadline=None)
@given(numbers, leaks)
def test_membrane_stops_at_rest(v, lam):
    """Shrinking never crosses rest and never moves away from it."""
    out = decay.shrink(torch.tensor(v), lam).item()
    assert out * v >= 0 and abs(out) <= abs(v)
    assert out == 0 if abs(v) <= lam else out != 0 or lam == 0


@settings(deadline=None)
@given(numbers, leaks)
def test_shrink_is_the_proximal_map_of_the_absolute_value(v, lam):
    """It minimises λ|x| + (x − V)²/2."""
    x = decay.shrink(torch.tensor(v, dtype=torch.float64), lam).item()

    def cost(x):
        return lam * abs(x) + (x - v) ** 2 / 2

    assert all(cost(x) <= cost(x + d) + 1e-9 for d in (-1e-3, 1e-3, -1.0, 1.0, -x))


@pytest.mark.parametrize("name", [n for n in decay.LAWS if n != "shift"])
def test_slopes_equal_finite_differences(name):
    law = decay.law(name)
    v = torch.tensor([-2.0, -0.31, 0.17, 0.9, 3.0], dtype=torch.float64)
    p, tiny = torch.tensor(0.6, dtype=torch.float64), 1e-7
    dv, dp = law.slopes(v, p)
    by_v = (law.step(v + tiny, p) - law.step(v - tiny, p)) / (2 * tiny)
    by_p = (law.step(v, p + tiny) - law.step(v, p - tiny)) / (2 * tiny)
    torch.testing.assert_close(dv + 0 * v, by_v, atol=1e-6, rtol=0)
    torch.testing.assert_close(dp + 0 * v, by_p, atol=1e-6, rtol=0)


@pytest.mark.parametrize("beta", BETAS)
def test_matched_lam_is_least_squares_and_smallest_worst_error(beta):
    v = (np.arange(100_000) + 0.5) / 100_000
    for error in (lambda d: np.mean(d**2), lambda d: np.abs(d).max()):
        best = minimize_scalar(
            lambda lam, error=error: error(np.maximum(v - lam, 0) - beta * v),
            bounds=(0, 0.9),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert best.x == pytest.approx(decay.lam_least_squares(beta), abs=2e-5)
    assert decay.lam_least_squares(beta) == pytest.approx(np.tanh(-np.log(beta) / 2))
    assert decay.beta_least_squares(decay.lam_least_squares(beta)) == pytest.approx(
        beta
    )


@pytest.mark.parametrize("beta", BETAS)
def test_matched_lam_keeps_the_area(beta):
    lam = decay.lam_equal_area(beta)
    assert decay.path_error(beta, lam)["area"] == pytest.approx(0, abs=1e-9)
    whole = ((1 + beta) / (1 - beta)) % 1
    if min(whole, 1 - whole) < 1e-9:
        assert lam == pytest.approx(decay.lam_least_squares(beta))


def test_half_life_and_rheobase_match_what_they_are_named_after():
    beta = 0.9
    half = np.log(0.5) / np.log(beta)
    assert 1 - half * decay.lam_half_life(beta) == pytest.approx(0.5)
    lam = decay.lam_rheobase(beta)
    for current, fires in ((lam * 1.01, True), (lam * 0.99, False)):
        for law, p in (("floor_after", {"lam": lam}), ("exponential", {"beta": beta})):
            x = torch.full((5000, 1, 1), current, dtype=torch.float64)
            assert kernels.sequence(x, law=law, **p)[0].any().item() == fires


@pytest.mark.parametrize("current", (0.15, 0.37, 0.8))
@pytest.mark.parametrize("lam", (0.05, 0.12))
def test_firing_rates_follow_the_closed_forms(current, lam):
    steps = 20_000
    x = torch.full((steps, 1, 1), current, dtype=torch.float64)
    for law in ("floor_after", "drift"):
        rate = kernels.sequence(x, law=law, lam=lam)[0].mean().item()
        assert rate == pytest.approx(decay.rate_linear(current, lam), abs=2 / steps)
    rate = kernels.sequence(x, law="shrink", lam=lam)[0].mean().item()
    low, high = (
        decay.rate_linear(current, lam),
        decay.rate_linear(current, lam, 1 - lam),
    )
    assert low - 2 / steps <= rate <= high + 2 / steps
    rate = (
        kernels.sequence(x, law="exponential", beta=0.9, reset="zero")[0].mean().item()
    )
    assert rate == pytest.approx(decay.rate_exponential(current, 0.9), abs=2 / steps)


def test_one_step_error_equals_brute_force():
    v = np.linspace(0, 1, 200_001)
    for beta in BETAS:
        for lam in (0.3 * (1 - beta), decay.lam_least_squares(beta), 1 - beta):
            distance = np.abs(np.maximum(v - lam, 0) - beta * v)
            found = decay.step_error(beta, lam)
            assert found["max"] == pytest.approx(distance.max(), abs=1e-9)
            assert found["mean"] == pytest.approx(distance.mean(), abs=1e-5)


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 60))
def test_a_kick_is_forgotten_after_its_horizon(v, lam):
    steps = decay.horizon_linear(v, lam)
    path = torch.tensor(float(v))
    for k in range(1, steps + 1):
        path = decay.shrink(path, float(lam))
        assert path == decay.lazy(torch.tensor(float(v)), float(lam), k)
        assert (path == 0) == (k == steps)
    beta = 0.9
    n = decay.horizon_exponential(v, beta, 0.5)
    assert v * beta**n <= 0.5 * (1 + 1e-9) and (n == 0 or v * beta ** (n - 1) > 0.5)


@settings(deadline=None)
@given(
    st.lists(st.integers(-30, 40), min_size=1, max_size=50),
    st.integers(0, 20),
    st.integers(0, 50),
    st.sampled_from(("floor_after", "floor")),
)
def test_prefix_sums_equal_the_loop(currents, lam, start, law):
    x = torch.tensor(currents, dtype=torch.float64)
    want = kernels.sequence(
        x[:, None, None], law=law, lam=lam, theta=1e9, reset="none",
        state=torch.full((1, 1), float(start), dtype=torch.float64),
    )[1].flatten()  # fmt: skip
    assert torch.equal(decay.scan(x, lam, start, law), want)


@settings(deadline=None)
@given(*[numbers] * 4, numbers)
def test_max_plus_maps_compose(a1, b1, a2, b2, x):
    first, second = [tuple(map(torch.tensor, p)) for p in ((a1, b1), (a2, b2))]

    def apply(f, x):
        return torch.maximum(x + f[0], f[1])

    both = apply(decay.compose(second, first), torch.tensor(x))
    torch.testing.assert_close(both, apply(second, apply(first, torch.tensor(x))))


def test_shrink_has_no_such_composition():
    """Two soft thresholds with an input between them have two flat parts."""
    x = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    y = decay.shrink(decay.shrink(x, 1.0) + 4.0, 1.0)
    flat = (y.diff().abs() < 1e-12).int()
    assert (flat.diff() == 1).sum() == 2


def test_shift_exponential_stalls():
    assert decay.stalls(4, "floor") == {"lowest": 0, "highest": 15}
    assert decay.stalls(4, "nearest") == {"lowest": -7, "highest": 7}


def test_rounding_halves_goes_away_from_rest():
    x = torch.tensor([-2.5, -0.5, 0.5, 1.5, 2.4])
    assert decay.round_half_away(x).tolist() == [-3, -1, 1, 2, 2]


def test_unknown_law_is_one_clear_line():
    with pytest.raises(Fault, match="unknown decay law: expected shrink"):
        decay.law("linear")
