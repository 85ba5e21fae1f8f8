"""Chapters 90 and 91: verdicts counted and set side by side, assumptions counted."""

import pandas as pd

from lindecay.claims import assumptions
from lindecay.claims.judge import Row
from lindecay.claims.registry import load
from lindecay.results import number

EDITIONS = {  # verdicts of the first frozen design, 23 November 2026
    "bottleneck": "trend-only",
    "sop-energy-ratio": "differs",
    "energy-efficiency-ratio": "not-comparable",
    "module-ratio-65nm": "differs",
}
MOVED = {
    "bottleneck": "judged in six scopes: what dominates is leakage of waiting macros",
    "sop-energy-ratio": "layout C in place beside layout A",
    "energy-efficiency-ratio": "one formula counted twice left the list",
    "module-ratio-65nm": "layers apart; every side pays clamp, buffer and cycles",
}


def counts(report) -> dict:
    """How many claims have each verdict, without other people's chips."""
    rows = len(report.own)
    told = {f"claims.{v}": number(n, n=rows) for v, n in report.tally.items()}
    cited = len(report.rows) - rows
    return told | {
        "claims.total": rows,
        "claims.cited": number(cited, n=len(report.rows)),
    }


def side_by_side(rows: list[Row]) -> pd.DataFrame:
    """Printed numbers that can be set beside one of ours, both ends of each."""
    known = load()
    kept = [
        row
        for row in rows
        if known[row.id].kind in ("stochastic", "simulated", "derived")
        and isinstance(row.ours, float | list)
        and not row.id.endswith("-counts")
    ]
    return pd.DataFrame(_beside(row, known[row.id]) for row in kept)


def _beside(row: Row, claim) -> dict:
    paper, ours = _ends(row.published), _ends(row.ours)
    band = row.interval or (None, None)
    scope = f", {row.scopes[0]['scope']}" if row.scopes else ""
    return {
        "claim": row.id,
        "words": f"{claim.title}{scope} ({claim.unit})",
        "published_low": paper[0],
        "published_high": paper[-1],
        "ours_low": ours[0],
        "ours_high": ours[-1],
        "interval_low": band[0],
        "interval_high": band[1],
        "verdict": row.verdict,
    }


def _ends(value) -> list:
    return value if isinstance(value, list) else [value]


def editions(rows: list[Row]) -> pd.DataFrame:
    """Energy verdicts of the first frozen design beside these."""
    now = {row.id: row.verdict for row in rows}
    return pd.DataFrame(
        {
            "claim": load()[id].title,
            "first edition": before,
            "second edition": now[id],
            "why": MOVED[id],
        }
        for id, before in EDITIONS.items()
    )


def open_points() -> dict:
    """How many choices there are, how many without a measured effect, how many keys."""
    known = assumptions.load()
    silent = [a for a in known.values() if not a.measured]
    return {
        "assumptions.total": len(known),
        "assumptions.unmeasured": number(len(silent), n=len(known)),
        "assumptions.keys": len(assumptions.keys()),
    }
