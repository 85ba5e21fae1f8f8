"""A DVS pixel: it speaks when log light moved by a threshold, and tells the sign.

event at t, polarity p:  p * (L(t) - L_ref) > theta_p,  then  L_ref += p * theta_p

L is the log intensity; theta differs from pixel to pixel (mismatch); after an
event the pixel is deaf for its refractory time; a background rate fires at random.
Source: Lichtsteiner, Posch, Delbruck 2008 (10.1109/JSSC.2007.914337); noise and
mismatch as in v2e (10.1109/CVPRW53098.2021.00144). Not modelled: a time constant
that depends on light, leak events, the arbiter's delays.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lindecay.events.facts import EVENT


@dataclass(frozen=True)
class Pixel:
    """Settings of one sensor; thresholds in units of natural log intensity."""

    on: float = 0.3
    off: float = 0.3
    mismatch: float = 0.1  # relative standard deviation of the thresholds
    refractory_us: int = 2000
    tau_us: int = 0  # time constant of the photoreceptor, one pole; 0 is none
    noise_hz: float = 0.3  # background events per pixel and second


def thresholds(pixel: Pixel, shape: tuple, rng: np.random.Generator) -> np.ndarray:
    """Thresholds (off, on) of every pixel, float32 [2, *shape]."""
    spread = 1 + pixel.mismatch * rng.standard_normal((2, *shape), dtype=np.float32)
    base = np.array([pixel.off, pixel.on], np.float32).reshape(2, *[1] * len(shape))
    return base * np.clip(spread, 0.3, None)


def respond(
    scenes: Iterable[np.ndarray], step_us: int, pixel: Pixel, rng: np.random.Generator
) -> list[np.ndarray]:
    """Events of each clip of a batch that looks at the same instants.

    scenes: log intensity, float32 [batch, height, width], one every `step_us`.
    Returns one array of EVENT per clip, sorted by time.
    """
    scenes = iter(scenes)
    before = next(scenes)
    theta = thresholds(pixel, before.shape[1:], rng)
    state = _State(before.copy(), np.full(before.shape, -(10**6), np.int32))
    found, steps = [], 0
    follow = np.float32(-np.expm1(-step_us / pixel.tau_us) if pixel.tau_us else 1.0)
    for target in scenes:
        now = before + follow * (target - before)
        found.append(_step(state, before, now, steps * step_us, step_us, theta, pixel))
        before, steps = now, steps + 1
    found.append(_noise(before.shape, steps * step_us, pixel, rng))
    return _by_clip(found, before.shape)


@dataclass
class _State:
    ref: np.ndarray  # [batch, height, width]: log light at the last event
    last: np.ndarray  # time of the last event in µs


def _step(state, before, now, start_us, step_us, theta, pixel):
    """Events between two scenes: flat pixel, time, polarity."""
    gap = now - state.ref
    fires = (gap > theta[1]) | (gap < -theta[0])
    where = np.flatnonzero(fires)
    polarity = (gap.ravel()[where] > 0).astype(np.int8)
    need = theta.reshape(2, -1)[polarity, where % theta[0].size] * (2 * polarity - 1)
    moved = (now.ravel()[where] - before.ravel()[where]) + 1e-12
    share = (state.ref.ravel()[where] + need - before.ravel()[where]) / moved
    late = np.clip(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    t = start_us + (late * (step_us - 1)).astype(np.int32)
    t = np.maximum(t, state.last.ravel()[where] + pixel.refractory_us)
    awake = t < start_us + step_us
    where, t, polarity, need = where[awake], t[awake], polarity[awake], need[awake]
    state.last.ravel()[where] = t
    state.ref.ravel()[where] += need
    return where, t, polarity


def _noise(shape, length_us, pixel, rng):
    """Background events at random pixels and times."""
    count = rng.poisson(pixel.noise_hz * np.prod(shape) * length_us * 1e-6)
    where = rng.integers(np.prod(shape), size=count)
    t = rng.integers(length_us, size=count).astype(np.int32)
    return where, t, rng.integers(2, size=count).astype(np.int8)


def _by_clip(found, shape) -> list[np.ndarray]:
    """Sort all events by clip and time, cut them into clips."""
    where, t, p = (np.concatenate(part) for part in zip(*found))
    clip, place = np.divmod(where, shape[1] * shape[2])
    order = np.lexsort((place, t, clip))
    events = np.empty(len(where), EVENT)
    events["y"], events["x"] = np.divmod(place[order], shape[2])
    events["t"], events["p"] = t[order], p[order]
    return np.split(events, np.cumsum(np.bincount(clip, minlength=shape[0]))[:-1])
