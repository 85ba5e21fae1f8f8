"""From the rows of a study to what a page may say of them.

Two questions for every drop, never one: is it compatible with the published drop (the
95 % interval holds it), and is it equivalent to zero within one point (two one-sided
tests)? A study that was not run says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lindecay import training
from lindecay.networks import ARMS
from lindecay.settings import committed
from lindecay.studies import paired, protocol

ORDER = ("vlif", "ldlif", "floor", "if", "shift")
ORDER += ("shift_near", "vlif_trunc", "vlif16", "drift")


@dataclass(frozen=True)
class Study:
    """Rows of one study with the labels of what they were judged on."""

    name: str
    asked: int
    rows: list[dict]
    labels: dict[str, str]
    commit: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def n(self) -> str:
        """How many of the tasks ran, as a page prints it."""
        return f"{len(self.rows)} of {self.asked}" if self.rows else "not run"

    def only(self, **wanted) -> "Study":
        """The rows whose fields are as wanted."""
        kept = [r for r in self.rows if all(r.get(k) == v for k, v in wanted.items())]
        return Study(self.name, self.asked, kept, self.labels, self.commit)

    def arms(self) -> list[str]:
        """Arms that have rows, in the order of the book."""
        there = {row["arm"] for row in self.rows}
        return [arm for arm in ORDER if arm in there]

    def seeds(self, arm: str) -> list[int]:
        """Seeds of an arm that ran."""
        return sorted(row["seed"] for row in self.rows if row["arm"] == arm)

    def of(self, arm: str) -> list[dict]:
        """Rows of an arm by seed, then fold or speaker."""
        mine = [row for row in self.rows if row["arm"] == arm]
        return sorted(mine, key=lambda r: (r["seed"], r["judged"]))

    def right(self, arm: str, seeds: Iterable[int] | None = None) -> np.ndarray:
        """Which clips each run got right, bool [runs, clips]."""
        chosen = None if seeds is None else set(seeds)
        rows = [r for r in self.of(arm) if chosen is None or r["seed"] in chosen]
        return np.stack([hits(row, self.labels) for row in rows])


def hits(row: dict, labels: dict[str, str]) -> np.ndarray:
    """Which of its judged clips a row got right, bool."""
    wanted = labels[f"{row['data']} {row['judged']}"]
    return protocol.classes_of(row["predictions"]) == protocol.classes_of(wanted)


def study(name: str) -> Study:
    """A committed study; empty where it was not run."""
    return made(protocol.read(name, committed("reference") / "protocol"))


def made(found: dict) -> Study:
    """A study from what `protocol.read` gives: rows of the tasks as they stand now."""
    labels, commit = found.get("labels", {}), found.get("commit", "")
    wanted = {task.key for task in protocol.tasks(found["study"])}
    rows = [row for row in found["rows"] if row["key"] in wanted]
    return Study(found["study"], found["asked"], rows, labels, commit)


def here(name: str) -> Study:
    """A study run there and then, in this process."""
    rows = [protocol.row_of(task) for task in protocol.tasks(name)]
    labels = {f"{r['data']} {r['judged']}": r["labels"] for r in rows}
    return Study(name, len(rows), rows, labels)


def drop(found: Study, arm: str, base: str = "vlif") -> dict | None:
    """The paired drop of an arm against v-LIF over the seeds that both have.

    mean, per_seed, interval (seeds crossed with clips), seeds_interval, n (seeds),
    clips, mcnemar; None with fewer than two common seeds.
    """
    common = sorted({*found.seeds(arm)} & {*found.seeds(base)})
    if len(common) < 2:
        return None
    a, b = found.right(base, common), found.right(arm, common)
    told = training.paired_drop(a, b)
    return told | {
        "n": len(common),
        "seeds": common,
        "clips": a.shape[1],
        "mcnemar": paired.mcnemar(a, b),
    }


def against(main: Study, other: Study, base: str = "vlif") -> dict | None:
    """`drop` of the rows of another study, whatever their arm, against main's v-LIF."""
    renamed = [row | {"arm": "other"} for row in other.rows]
    both = Study(main.name, main.asked, [*main.of(base), *renamed], main.labels)
    return drop(both, "other", base) if renamed else None


def answers(told: dict, published: float) -> tuple[str, str]:
    """(compatible with the published drop?, equivalent to zero within a point?)"""
    low, high = told["interval"]
    compatible = "yes" if low <= published <= high else "no"
    return compatible, "yes" if paired.equivalent(told["interval"]) else "no"


def arms_table(found: Study, published: float) -> list[dict]:
    """One row an arm: accuracy, seeds, operations, drop and both answers."""
    rows = []
    for arm in found.arms():
        runs = found.of(arm)
        accuracy = np.array([r["accuracy"] for r in runs])
        told = drop(found, arm) if arm != "vlif" else None
        said = answers(told, published) if told else ("", "")
        rows.append(
            {
                "arm": ARMS[arm].label,
                "seeds": len(runs),
                "accuracy %": round(float(accuracy.mean()), 2),
                "worst to best": f"{accuracy.min():.1f} to {accuracy.max():.1f}",
                "kSOP a clip": round(np.mean([r["sops"] for r in runs]) / 1000, 1),
                "drop, points": span(told) if told else "",
                "compatible": said[0],
                "equivalent to 0": said[1],
            }
        )
    return rows


def decided(found: Study, arm: str, base: str = "vlif") -> dict | None:
    """What rows on the two test speakers say of an arm against another, all ways.

    Fixed before the rows were made: paired over seeds (Student), unpaired (Welch), the
    correlation that says which of them fits, seeds crossed with clips, the smallest
    drop that these seeds find with a power of 80 % at 5 %, and what the widest interval
    allows to be said. None with fewer than two common seeds.
    """
    told = drop(found, arm, base)
    if told is None:
        return None
    common = set(told["seeds"])
    a, b = (
        np.array([r["accuracy"] for r in found.of(x) if r["seed"] in common])
        for x in (base, arm)
    )
    apart, per_seed = paired.unpaired(a, b), np.array(told["per_seed"])
    ends = [told["seeds_interval"], apart["interval"], told["interval"]]
    widest = min(low for low, _ in ends), max(high for _, high in ends)
    t, error = stats.t(len(common) - 1), stats.sem(per_seed)
    return told | {
        "unpaired": apart["interval"],
        "correlation": paired.together(a, b) if np.ptp(a) and np.ptp(b) else 0.0,
        "detectable": float(error * (t.ppf(0.975) + t.ppf(0.8))),
        "widest": widest,
        "said": paired.said(widest),
    }


def over_speakers(found: Study, arm: str, base: str = "vlif") -> dict | None:
    """`paired.of_speakers` of a leave-one-speaker-out study: speakers x seeds.

    Only speakers and seeds that both arms have in full; None with fewer than two.
    """
    at = {(r["arm"], r["speaker"], r["seed"]): r["accuracy"] for r in found.rows}
    both = {(s, k) for a, s, k in at if a == arm and (base, s, k) in at}
    speakers = sorted({s for s, _ in both})
    seeds = [k for k in {k for _, k in both} if all((s, k) in both for s in speakers)]
    if len(speakers) < 2 or not seeds:
        return None
    lost = [[at[base, s, k] - at[arm, s, k] for k in seeds] for s in speakers]
    return paired.of_speakers(np.array(lost))


def still(found: Study) -> dict[str, dict[float, float]]:
    """Arm -> starting horizon -> per cent of neurons that ended without a leak.

    Without a leak on the grid: lambda = 0, or beta at or above the largest that fits
    (255/256 or 65535/65536), or a shift by 7.
    """
    shares: dict[str, dict[float, float]] = {}
    for row in found.rows:
        if "lam_int" in row:
            share = row["lam_int"][0] / sum(row["lam_int"])
        elif "beta_q" in row:
            share = float(np.mean(np.array(row["beta_q"]) >= _top(row)))
        else:
            continue
        shares.setdefault(row["arm"], {})[row["horizon"]] = 100 * share
    return {arm: dict(sorted(shares[arm].items())) for arm in shares}


def _top(row: dict) -> int:
    """beta_q (or k of a shift) that leaks least on the row's grid."""
    if row["arm"].startswith("shift"):
        return 7
    bits = row.get("beta_bits") or ARMS[row["arm"]].beta_bits or 8
    return 2**bits - 1


def span(told: dict) -> str:
    """`1.20 [0.10, 2.30]`."""
    low, high = told["interval"]
    return f"{told['mean']:.2f} [{low:.2f}, {high:.2f}]"


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) that no other point beats in both, by rising cost.

    >>> front([(3, 70), (1, 60), (2, 75), (4, 75)])
    [(1, 60), (2, 75)]
    """
    kept: list[tuple[float, float]] = []
    for cost, gain in sorted(points, key=lambda p: (p[0], -p[1])):
        if not kept or gain > kept[-1][1]:
            kept.append((cost, gain))
    return kept


def agreement(found: Study, key: str, value, base) -> dict[str, float]:
    """Arm -> share of clips that the networks at two values of a knob call the same."""
    shares = {}
    for arm in found.arms():
        at = {r[key]: protocol.classes_of(r["predictions"]) for r in found.of(arm)}
        if value in at and base in at:
            shares[arm] = float(np.mean(at[value] == at[base]))
    return shares


def grouped(found: Study, arm: str, key: str) -> dict[int, float]:
    """Drop against v-LIF for each speaker or fold, mean over seeds, in points."""
    base = {(r["seed"], r[key]): r["accuracy"] for r in found.of("vlif")}
    pairs: dict[int, list[float]] = {}
    for row in found.of(arm):
        if (row["seed"], row[key]) in base:
            lost = base[row["seed"], row[key]] - row["accuracy"]
            pairs.setdefault(row[key], []).append(lost)
    return {k: float(np.mean(v)) for k, v in sorted(pairs.items())}


def axis(found: Study, key: str) -> dict[str, list[tuple]]:
    """Arm -> [(value, mean accuracy, lowest, highest, runs)] along one knob."""
    table = {}
    for arm in found.arms():
        values: dict = {}
        for row in found.of(arm):
            values.setdefault(row.get(key), []).append(row["accuracy"])
        table[arm] = [
            (v, float(np.mean(a)), min(a), max(a), len(a))
            for v, a in sorted(values.items())
        ]
    return table


def best(found: Study, key: str) -> dict[str, float]:
    """The value of a knob at which each arm's mean accuracy was highest."""
    return {
        arm: max(points, key=lambda p: p[1])[0]
        for arm, points in axis(found, key).items()
    }


def confusion(found: Study, arm: str, classes: int) -> np.ndarray:
    """Share of each true class (rows) given to each class, mean over seeds."""
    table = np.zeros((classes, classes))
    for row in found.of(arm):
        wanted = protocol.classes_of(found.labels[f"{row['data']} {row['judged']}"])
        np.add.at(table, (wanted, protocol.classes_of(row["predictions"])), 1)
    return table / np.maximum(table.sum(1, keepdims=True), 1)
