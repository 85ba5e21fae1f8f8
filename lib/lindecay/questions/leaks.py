"""One neuron under every leak: what it remembers, ignores and draws, and for how much.

    memory   steps until a membrane V is at rest:  ⌈V/λ⌉,  or βⁿ V below one LSB
    drive    what a constant drive I gathers: nothing up to λ, or up to I/(1 − β)
    trace    y ← β y + x, an exponential synapse's response, by a membrane of whole bits
    bill     cycles and picojoules of one update in a full array of 256 neurons

All in whole numbers: the laws here are the ones that array and training run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lindecay import decay, energy, integer, sram
from lindecay.checkpoints import Checkpoint
from lindecay.energy import constants as table
from lindecay.energy import maps, network
from lindecay.events import Clips
from lindecay.questions import remedies

BITS = 8  # of β
TOP, LOW = 2**9 - 1, -(2**9)  # what a membrane of 10 bits holds
GATHER = 48  # steps of a constant drive
MEAN = 2  # LSB a step that every linear law of the bill takes off where V is small


@dataclass(frozen=True)
class Leak:
    """A leak of whole numbers: (V, parameter, step) -> V; what is tried for it."""

    step: Callable
    tried: tuple[float, ...]  # parameters of the trace, in the law's own units


def _plain(law: str, rounding: str | None = None) -> Callable:
    """A law of the book, as the integer network computes it."""

    def step(v, parameter, t):
        return integer.leak(law, v, parameter, BITS, rounding)

    return step


def _own(name: str) -> Callable:
    law = remedies.LAWS[name]()

    def step(v, lam, t):
        return law.whole(v, law.timed(lam, t)[0])

    return step


def _ladder(most: int, scale: int = 1) -> tuple[int, ...]:
    """Whole numbers from 1 to about `most`, closer where they are small."""
    found = np.unique(np.geomspace(1, most, 16).round().astype(int))
    return tuple(int(x) * scale for x in found)


BETAS = tuple(range(200, 256, 4))
LEAKS: dict[str, Leak] = {
    "exponential, nearest": Leak(_plain("exponential"), BETAS),
    "exponential, towards rest": Leak(_plain("exponential", "trunc"), BETAS),
    "shift": Leak(_plain("shift"), (1, 2, 3, 4, 5, 6, 7)),
    "linear": Leak(_plain("shrink"), _ladder(40)),
    "two slopes": Leak(_own("slopes"), _ladder(4)),
    "floor above rest": Leak(_own("above"), _ladder(16)),
    "every 4th step": Leak(_own("every"), _ladder(160)),
    "dithered": Leak(_own("dither"), _ladder(640)),
}


# ---- memory


def lifetime(name: str, v: int, parameter: int, most: int = 5000) -> int | None:
    """Steps until a membrane is at rest; None where it never is.

    >>> lifetime("linear", 100, 7), lifetime("floor above rest", 10, 7)
    (15, None)
    """
    now = np.array([v])
    for t in range(most):
        if now[0] == 0:
            return t
        now = LEAKS[name].step(now, np.array([parameter]), t)
    return None


def lifetime_cut(v: float, factor: float) -> float:
    """Steps until β V, cut towards rest in every step, is at rest, on average.

    A cut takes half an LSB more on average: V' = β V − 1/2, so it is gone after
    ln(1 + 2 (1 − β) V) / −ln β steps.

    >>> round(lifetime_cut(100, 0.9), 1)
    28.9
    """
    return float(np.log1p(2 * (1 - factor) * abs(v)) / -np.log(factor))


def lifetimes(values, lam: int, beta: int) -> pd.DataFrame:
    """Measured lifetimes beside the theory of chapter 01, a row a value and law."""
    factor, rows = beta / 2**BITS, []
    for v in values:
        laws = {"linear": (lam, decay.horizon_linear(int(v), lam))}
        laws["exponential, towards rest"] = (
            beta,
            decay.horizon_exponential(int(v), factor, 1.0),
        )
        for name, (parameter, theory) in laws.items():
            cut = lifetime_cut(v, factor) if name != "linear" else None
            told = {"law": name, "V": int(v), "theory": theory, "cut": cut}
            rows.append(told | {"steps": lifetime(name, int(v), parameter)})
    return pd.DataFrame(rows)


# ---- drive


def gathered(name: str, drives, parameter: int, steps: int) -> np.ndarray:
    """Membranes after so many steps of constant drives [n], from rest, no threshold."""
    drives = np.asarray(drives, np.int64)
    v = 0 * drives
    for t in range(steps):
        v = LEAKS[name].step(v, 0 * drives + parameter, t) + drives
    return v


def drives(lam: int, beta: int, most: int = 24, steps: int = GATHER) -> pd.DataFrame:
    """What drives gather, linear and exponential, beside the closed forms.

    Linear: I + (n − 1)(I − λ)+; exponential: I (1 − βⁿ)/(1 − β).
    """
    I, factor = np.arange(most + 1), beta / 2**BITS  # noqa: E741
    return pd.DataFrame(
        {
            "drive": I,
            "linear": gathered("linear", I, lam, steps),
            "exponential": gathered("exponential, towards rest", I, beta, steps),
            "linear, theory": I + (steps - 1) * np.maximum(I - lam, 0),
            "exponential, theory": I * (1 - factor**steps) / (1 - factor),
        }
    )


# ---- an exponential trace


def trains(rate: float, seed: int, count: int = 8, steps: int = 600) -> np.ndarray:
    """Poisson spikes [steps, count]."""
    return np.random.default_rng((seed, 53)).random((steps, count)) < rate


def response(x: np.ndarray, tau: float) -> np.ndarray:
    """y ← e^(−1/τ) y + x: what the synapse does, in floating point [steps, count]."""
    y, out = np.zeros(x.shape[1]), np.zeros(x.shape)
    for t, now in enumerate(x):
        y = y * np.exp(-1 / tau) + now
        out[t] = y
    return out


def drawn(name: str, x: np.ndarray, parameters, weight: int) -> np.ndarray:
    """Membranes of a law [steps, parameters, count]: decay, then weight for a spike."""
    tried = np.asarray(parameters, np.int64)[:, None]
    v, out = np.zeros((len(tried), x.shape[1]), np.int64), []
    for t, now in enumerate(x):
        v = np.clip(LEAKS[name].step(v, tried, t) + weight * now, LOW, TOP)
        out.append(v)
    return np.stack(out)


def errors(y: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Root mean square of y − g v over that of y, g the best gain [parameters]."""
    vy, vv = (v * y[:, None]).sum((0, 2)), (v * v).sum((0, 2))
    return np.sqrt(np.maximum(1 - vy**2 / np.maximum(vv, 1) / (y * y).sum(), 0))


def trace(name: str, rate: float, tau: float = 20.0, seeds=range(5)) -> dict:
    """Error of a law's best parameter, chosen on a train of its own, over `seeds`.

    weight: 48 LSB a spike where few come, less where more would leave ten bits.
    """
    weight = int(min(48, 250 / (1 + rate * tau)))
    tried, x = LEAKS[name].tried, trains(rate, 90)
    found = errors(response(x, tau), drawn(name, x, tried, weight))
    best, each = tried[int(found.argmin())], []
    for seed in seeds:
        x = trains(rate, seed)
        each.append(errors(response(x, tau), drawn(name, x, [best], weight))[0])
    return {"law": name, "rate": rate, "parameter": best, "errors": each}


def traces(rates=(0.01, 0.05, 0.2), tau: float = 20.0) -> pd.DataFrame:
    """Error in per cent, mean and extremes of five trains, a row a law and rate."""
    rows = []
    for rate in rates:
        for name in LEAKS:
            told = trace(name, rate, tau)
            each = 100 * np.array(told.pop("errors"))
            ends = {"error": each.mean(), "low": each.min(), "high": each.max()}
            rows.append(told | ends)
    return pd.DataFrame(rows)


# ---- the bill


def full_array(steps: int = 32) -> tuple[Checkpoint, Clips]:
    """256 neurons of ten bits on one array, random weights, 16 input spikes a step."""
    ck, clips = maps.layer(maps.Point(B=10, s=16, N=256, rows=256))
    often = -(-steps // clips.steps)
    starts = [clips.indptr[:-1] + k * len(clips.channel) for k in range(often)]
    indptr = np.concatenate([*starts, [often * len(clips.channel)]])
    channel = np.tile(clips.channel, often)
    longer = replace(clips, indptr=indptr, channel=channel, steps=often * clips.steps)
    return replace(ck, meta=ck.meta | {"T": longer.steps}), longer


BILLED: Mapping[str, tuple[str, float]] = {  # law, λ over MEAN
    "LD-LIF (linear)": ("shrink", 1),
    "λ for each neuron": ("shrink", 0),
    "two slopes": ("slopes", 1),
    "floor above rest": ("above", 1),
    "every 4th step": ("every", 4),
    "dithered": ("dither", 16),
    "dithered, λ below one LSB": ("dither", 4),
    "v-LIF, 8-bit β": ("exponential", 0),
    "v-LIF by shift": ("shift", 0),
    "IF (no decay)": ("none", 0),
}


def under(ck: Checkpoint, name: str) -> Checkpoint:
    """The same weights and thresholds under a leak of BILLED."""
    law, times = BILLED[name]
    made = network.under(ck, law)
    lam = np.int32(MEAN * times)
    if name == "λ for each neuron":
        lam = (np.arange(ck.layers[0].out) % (2 * MEAN + 1)).astype(np.int32)
    return replace(made, layers=tuple(replace(la, lam=lam) for la in made.layers))


def bills(steps: int = 32) -> pd.DataFrame:
    """Cycles, additions and pJ of a decay, and pJ of a whole update, a row a leak.

    pJ a neuron and step, on one random layer; the shared random bits and the clock are
    billed as registers (`beside`). additions: full-adder cycles of a column.
    """
    (ck, clips), rows = full_array(steps), []
    updates = clips.steps * ck.layers[0].out
    with remedies.known():
        for name in BILLED:
            run = sram.emulate(under(ck, name), clips)
            made, counts = energy.bill(run), run.ledger["fc", "decay"]
            decays = made.of("decay") + beside(name) * clips.steps
            whole = made.per_update_pj * updates + beside(name) * clips.steps
            told = {"leak": name, "cycles": counts.cycles / clips.steps}
            told |= {"additions": counts.adder_ops / updates}
            told |= {"decay_pj": decays / updates, "update_pj": whole / updates}
            rows.append(told)
    found = pd.DataFrame(rows)
    found.attrs = {"neurons": ck.layers[0].out, "bits": ck.B}
    return found


def beside(name: str) -> float:
    """pJ a step of what a sequencer adds: a counter, or an LFSR that shifts m times."""
    edge = table.values(table.load())["register_bit"]
    if name.startswith("dithered"):
        return float(edge) * 16 * remedies.FRACTION
    return float(edge) * 2 if name.startswith("every") else 0.0
