"""Chapter 01: decay laws side by side, step by step, and what each is bad at.

Membranes are in units of the threshold θ unless they are called integers.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from lindecay import decay, kernels
from lindecay.results import number


def repeated(step: Callable, start, steps: int) -> list:
    """The start and what 1 … steps applications of `step` make of it.

    >>> repeated(lambda v: v - 1, 3, 2)
    [3, 2, 1]
    """
    path = [start]
    for _ in range(steps):
        path.append(step(path[-1]))
    return path


def paths(laws: Mapping[str, float], starts: tuple, steps: int) -> pd.DataFrame:
    """Membranes that decay from each start under each law, one row a step.

    Args:
        laws: {name in decay.LAWS: its λ or β}.
        starts: (above rest, below rest); their columns end in "+" and "-".
    """
    table = {"step": np.arange(steps + 1)}
    for v0, sign in zip(starts, "+-"):
        for name, p in laws.items():
            law = decay.LAWS[name].step
            path = repeated(lambda v, f=law, p=p: f(v, p), torch.tensor(v0), steps)
            table[f"{name} {sign}"] = [float(v) for v in path]
    return pd.DataFrame(table)


def matches(beta: float, rules: Mapping[str, float]) -> pd.DataFrame:
    """What each rule's λ does: errors of a step and of the path from θ, in θ."""
    rows = []
    for name, lam in rules.items():
        one, path = (f(beta, lam) for f in (decay.step_error, decay.path_error))
        rows.append(
            {
                "rule": name,
                "λ/θ": lam,
                "steps to rest": decay.horizon_linear(1, lam),
                "worst step": one["max"],
                "mean step": one["mean"],
                "worst on the path": path["max"],
                "area − exponential": path["area"],
            }
        )
    return pd.DataFrame(rows)


def match_numbers(table: pd.DataFrame) -> dict:
    """λ of the three rules of `matches`, how far apart they are, and the horizon."""
    star, half, rheobase = (float(lam) for lam in table["λ/θ"])
    return {
        "decay.lambda_star": number(star, digits=4),
        "decay.lambda_half_life": number(half, digits=4),
        "decay.lambda_rheobase": number(rheobase, digits=4),
        "decay.lambda_ratio": number(rheobase / star, digits=1),
        "decay.horizon_linear": decay.horizon_linear(1, star),
        "decay.step_error": number(float(table["worst step"][0]), digits=3),
    }


def path_gradient(start: float, steps: int, **law) -> list[float]:
    """Slope of the membrane after 0 … steps in its start, by autograd.

    >>> path_gradient(0.5, 3, lam=0.2)
    [1.0, 1.0, 1.0, 0.0]
    """
    v = torch.full((1, 1), start, requires_grad=True)
    silence = torch.zeros(steps, 1, 1)
    u = kernels.sequence(silence, state=v, **law, reset="none")[1]
    slopes = (
        torch.autograd.grad(u[k].sum(), v, retain_graph=True) for k in range(steps)
    )
    return [1.0, *(slope[0].item() for slope in slopes)]


def stalls(laws: Mapping[str, Callable], start: float, steps: int) -> pd.DataFrame:
    """Whole-number membranes from +start and -start under each law, a row a step."""
    both = torch.tensor([start, -start])
    table = {"step": np.arange(steps + 1)}
    for name, step in laws.items():
        path = torch.stack(repeated(step, both, steps)).T.numpy()
        table[name], table[name + ", below"] = path
    return pd.DataFrame(table)


def lazy_wrong(bits: int, most: int) -> np.ndarray:
    """Share of membranes for which k rounded steps differ from k steps at once.

    For V − V/16 rounded to the nearest, V of so many bits, k = 2 … most.
    """
    v = torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)).double()
    wrong = []
    for k in range(2, most + 1):
        one_by_one = repeated(lambda w: decay.shift_exponential(w, 4), v, k)[-1]
        at_once = decay.round_half_away(v * (15 / 16) ** k)
        wrong.append((one_by_one != at_once).double().mean().item())
    return np.array(wrong)


def readout(rate: np.ndarray, laws: Mapping, weight: float, rng) -> pd.DataFrame:
    """Mean membrane against the rate of events of one weight, without reset."""
    events = rng.random((3000, 20, len(rate))) < rate
    x = weight * torch.from_numpy(events).double()
    table = {"rate": rate}
    for name, law in laws.items():
        u = kernels.sequence(x, **law, reset="none")[1]
        table[name] = u[200:].mean((0, 1)).numpy()
    return pd.DataFrame(table)


def detection(noise: float, law: Mapping, rng, trials=2000, kick=0.5) -> np.ndarray:
    """Probability that the kicked membrane is the larger one, after 0 … 40 steps."""
    x = noise * torch.from_numpy(rng.standard_normal((41, 2, trials)))
    x[0, 0] += kick
    kicked, silent = kernels.sequence(x, **law, reset="none")[1].unbind(1)
    sure, tied = (kicked > silent).double(), (kicked == silent).double()
    return (sure.mean(1) + tied.mean(1) / 2).numpy()


def detected(noises: tuple, laws: Mapping, rng) -> pd.DataFrame:
    """`detection` against the delay, one column a law and noise."""
    table = {"delay": np.arange(41)}
    for noise in noises:
        for name, law in laws.items():
            table[f"{name} {noise}"] = detection(noise, law, rng)
    return pd.DataFrame(table)


def failure_numbers(
    heard: pd.DataFrame, delayed: pd.DataFrame, lam: float, weight: float
) -> dict:
    """The load of one, readings at half and nine tenths of it, kicks after 20 steps."""
    one = lam / weight
    found = {
        "decay.load_one": number(one, digits=2),
        "decay.kick_horizon": decay.horizon_linear(0.5, lam),
    }
    for word, share in (("half", 0.5), ("near", 0.9)):
        row = heard.iloc[(heard["rate"] - share * one).abs().argmin()]
        found[f"decay.readout_rate_{word}"] = number(float(row["rate"]), digits=2)
        for law in ("linear", "exponential"):
            told = number(float(row[law]), digits=2)
            found[f"decay.readout_{law}_{word}"] = told
    for law in ("linear", "exponential"):
        seen = float(delayed[f"{law} 0.02"][20])
        found[f"decay.detected_{law}"] = number(seen, digits=2, n=2000)
    return found
