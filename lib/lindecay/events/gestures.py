"""DVS Gesture's stand-in: an articulated body before the DVS pixel model.

Two arms of two capsules and a hand, shoulder and elbow angles as functions of time;
the picture is body, arms over it, edges one pixel soft; `pixels.respond` turns it
into events. 11 gestures, users who differ in place, size, tempo, reach, sleeves and
light. Right arms are on the left of the picture, as a camera sees them. No person
was recorded: a stand-in, never a recording.
"""

from pathlib import Path

import numba
import numpy as np

from lindecay.events.pixels import Pixel, respond

SIDE, STEP_US, LENGTH_US, CLASSES = 128, 2500, 1_450_000, 11
PIXEL = Pixel(0.12, 0.12, 0.2, refractory_us=300, tau_us=4000, noise_hz=0.1)
STRIPES = 0.15  # folds of the cloth, across each limb
LIGHTS = ("fluorescent", "led", "lab")


def user(number: int, seed: int) -> dict[str, float]:
    """One person before the camera; lengths in pixels, tempo in turns per second."""
    rng = np.random.default_rng((seed, 11, number))
    return {
        "x": 64 + rng.normal(0, 4),
        "y": 62 + rng.normal(0, 5),
        "size": rng.uniform(0.85, 1.15),
        "tempo": rng.uniform(0.8, 1.25),
        "reach": rng.uniform(0.8, 1.15),
        "sleeve": rng.uniform(0.45, 0.8),
        "skin": rng.uniform(0.7, 1.1),
        "wall": rng.uniform(0.2, 0.3),
        "sway": rng.uniform(0.3, 1.0),
    }


def angles(label: int, t: np.ndarray, who: dict, rng) -> np.ndarray:
    """Shoulder and elbow of right and left arm [times, 4], radians from hanging.

    Positive turns an arm outwards; the elbow's angle adds to the shoulder's.
    """
    tempo, reach = who["tempo"] * rng.normal(1, 0.08), who["reach"]
    phase = 2 * np.pi * (tempo * t + rng.uniform())
    rest = np.full_like(t, 0.15)
    right, left = (rest, rest * 0.5), (rest, rest * 0.5)
    swing = reach * np.sin(2 * phase)
    if label == 0:  # hand clapping
        clap = 0.35 + 0.2 * swing, -1.6 - 0.45 * swing
        right, left = clap, clap
    elif label in (1, 2):  # wave
        wave = 0.5 + 0.06 * swing, 2.2 + 0.55 * swing
        right, left = (wave, left) if label == 1 else (right, wave)
    elif label in (3, 4, 5, 6):  # one arm turns, clockwise or not
        turn = phase * (1 if label in (4, 5) else -1)
        whole = turn, 0.2 + 0 * t
        right, left = (whole, left) if label < 5 else (right, whole)
    elif label == 7:  # arm roll
        right = 0.4 + 0.22 * np.cos(1.5 * phase), -1.75 + 0.45 * np.sin(1.5 * phase)
        left = 0.4 - 0.22 * np.cos(1.5 * phase), -1.75 - 0.45 * np.sin(1.5 * phase)
    elif label == 8:  # air drums
        right = 0.35 + 0.15 * swing, -0.9 + 0.75 * swing
        left = 0.35 - 0.15 * swing, -0.9 - 0.75 * swing
    elif label == 9:  # air guitar: the right hand strums, the left holds the neck
        right = 0.35 + 0.05 * swing, -1.5 + 0.4 * np.sin(3 * phase)
        left = 0.9 + 0.08 * np.sin(phase), 0.5 + 0.05 * swing
    else:  # other gestures: whatever comes to mind
        slow = rng.normal(0, 0.35, (4, 3))
        course = [
            (slow[k] * np.sin(np.outer(phase, (0.5, 1, 2)))).sum(1) for k in range(4)
        ]
        right, left = (0.6 + course[0], 0.8 + course[1]), (0.6 + course[2], course[3])
    return np.stack([*right, *left], axis=1)


def limbs(bent: np.ndarray, sway: np.ndarray, who: dict) -> np.ndarray:
    """Capsules [times, 8, 6]: x0, y0, x1, y1, radius, light, from the back."""
    size, x = who["size"], who["x"] + sway
    y, same = np.full_like(x, who["y"]), np.ones_like(x)
    dress, skin = who["sleeve"], who["skin"]
    out = [(x, y + 4, x, y + 40 * size, 13 * size, 0.7 * dress)]
    out.append((x, y - 17 * size, x, y - 14 * size, 8 * size, 0.9 * skin))
    for side, (shoulder, elbow) in ((-1, bent[:, :2].T), (1, bent[:, 2:].T)):
        at, both = (x + side * 13 * size, y), shoulder + elbow
        for length, angle, radius, light in (
            (19, shoulder, 4.2, dress),
            (20, both, 3.4, 0.85 * skin),
            (4, both, 4.0, skin),
        ):
            step = side * np.sin(angle), np.cos(angle)
            to = at[0] + length * size * step[0], at[1] + length * size * step[1]
            out.append((*at, *to, radius * size, light))
            at = to
    stacked = [np.stack([part * same for part in limb], axis=1) for limb in out]
    return np.stack(stacked, axis=1).astype(np.float32)


@numba.njit(cache=True)
def paint(still, capsules, frame):
    """Draw capsules [n, 6] over a still wall [side, side] into `frame`."""
    frame[:] = still
    side = frame.shape[0]
    for k in range(capsules.shape[0]):
        x0, y0, x1, y1, radius, light = capsules[k]
        dx, dy = x1 - x0, y1 - y0
        long = dx * dx + dy * dy + 1e-6
        left, right = min(x0, x1) - radius - 1, max(x0, x1) + radius + 2
        low, high = min(y0, y1) - radius - 1, max(y0, y1) + radius + 2
        for y in range(max(int(low), 0), min(int(high), side)):
            for x in range(max(int(left), 0), min(int(right), side)):
                u = min(max(((x - x0) * dx + (y - y0) * dy) / long, 0.0), 1.0)
                gap = np.hypot(x - x0 - u * dx, y - y0 - u * dy)
                cover = min(max(radius + 0.5 - gap, 0.0), 1.0)
                shade = light * (1.0 - 0.35 * (gap / radius) ** 2)
                shade *= 1.0 + STRIPES * np.sin(u * np.sqrt(long) * 1.3)
                frame[y, x] += cover * (shade - frame[y, x])


def scenes(labels: list[int], people: list[dict], rng):
    """Log light [batch, side, side] at each instant."""
    t = np.arange(0, LENGTH_US + 1, STEP_US) / 1e6
    walls = [np.full((SIDE, SIDE), who["wall"], np.float32) for who in people]
    moves = []
    for label, who in zip(labels, people):
        turn = 2 * np.pi * (who["tempo"] * t + rng.uniform())
        bent = angles(label, t, who, rng)
        moves.append(limbs(bent, who["sway"] * np.sin(turn), who))
    frame = np.stack(walls)
    for i in range(len(t)):
        for b, capsules in enumerate(moves):
            paint(walls[b], capsules[i], frame[b])
        yield np.log(frame)


def watch(labels: list[int], people: list[dict], rng) -> list[np.ndarray]:
    """Events of each gesture of a batch."""
    return respond(scenes(labels, people, rng), STEP_US, PIXEL, rng)


def write(folder: Path, sizes: tuple[int, int], seed: int) -> dict[str, int]:
    """The stand-in in DVS Gesture's official layout: users of 11 gestures each."""
    number = 0
    for split, size in zip(("ibmGestureTrain", "ibmGestureTest"), sizes):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for _ in range(size // CLASSES):
            number += 1
            rng = np.random.default_rng((seed, 13, number))
            home = folder / split / f"user{number:02d}_{LIGHTS[number % len(LIGHTS)]}"
            home.mkdir()
            people = [user(number, seed)] * CLASSES
            for label, made in enumerate(watch(list(range(CLASSES)), people, rng)):
                columns = (made["x"], made["y"], made["p"], made["t"] / 1000)
                np.save(home / f"{label}.npy", np.stack(columns, 1).astype(np.float32))
    return {k: n // CLASSES * CLASSES for k, n in zip(("train", "test"), sizes)}
