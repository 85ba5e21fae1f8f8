"""The two result sets that claims are judged on: this build's and the committed one."""

from collections.abc import Mapping

from lindecay.results import Result, load, reference

MARK = "reference/"  # of committed results in one mapping with this build's
Results = dict[str, Result]


def split(results: Mapping[str, Result] | None, profile: str | None) -> tuple:
    """(this build's, the reference's), from one mapping or from disk."""
    if results is None:
        return load(profile or "quick"), reference()
    here = {id: r for id, r in results.items() if not id.startswith(MARK)}
    kept = {i.removeprefix(MARK): r for i, r in results.items() if i.startswith(MARK)}
    return here, kept
