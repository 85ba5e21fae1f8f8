"""Do the numbers of the open questions follow from their committed rows?

A room of `lindecay.questions` may have `follows`: result id -> the value that the
committed rows imply. A published value that is another one turns the check red.
"""

from collections.abc import Iterator, Mapping

from lindecay.results import Result
from lindecay.settings import foreign

EQUAL = 1e-6  # both are rounded alike; only the file's digits may differ


def contradictions(found: Mapping[str, Result]) -> Iterator[tuple[str, str]]:
    """(id, why) of each published number that its rows do not give."""
    if not found or foreign():  # another paper asks no questions of ours
        return
    from lindecay.questions.asked import ROOMS  # torch, and only where it is needed

    for room in ROOMS:
        for id, value in getattr(room, "follows", dict)().items():
            if id in found and abs(float(found[id].value) - value) > EQUAL:
                told = f"published {found[id].value}, its rows give {value}"
                yield id, told
