"""What is known about each event data set before a file is opened.

The facts lie in data/manifest.yml; addresses and md5 are tonic's own.
"""

from functools import cache

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lindecay.settings import Fault, committed

SPLITS = ("train", "test")
# one event: pixel, time in µs, polarity; wide enough for every set
EVENT = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i2")])


class Facts(BaseModel):
    """One event data set: geometry [W, H, P], classes, limits, licence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    tonic: str  # class in tonic.datasets, and the folder's name
    folders: dict[str, str]  # split -> folder or file below the set's own
    archives: dict[str, str]
    official: dict[str, int]  # clips of the official release
    geometry: tuple[int, int, int]
    classes: tuple[str, ...]
    grouped: bool  # whether speakers or users can be held out
    limit_us: int  # no event of an honest file is later
    licence: str
    cite: str
    doi: str

    @property
    def channels(self) -> int:
        """W * H * P.

        >>> facts("nmnist").channels
        2312
        """
        w, h, p = self.geometry
        return w * h * p


@cache
def manifest() -> dict[str, Facts]:
    """All sets by name; Fault when the manifest is damaged."""
    path = committed("manifest.yml")
    try:
        sets = yaml.safe_load(path.read_text())["sets"]
        return {name: Facts(name=name, **rest) for name, rest in sets.items()}
    except (yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise Fault(
            "the manifest cannot be read",
            expected="schema 1 with a mapping 'sets'",
            found=f"{type(error).__name__}: {str(error)[:120]}",
            where=str(path),
        ) from None


def facts(name: str) -> Facts:
    """The set called `name`; Fault when there is none.

    >>> facts("dvsgesture").geometry
    (128, 128, 2)
    """
    if name not in manifest():
        raise Fault(
            "unknown event data set",
            expected=" or ".join(manifest()),
            found=repr(name),
            where="the set's name",
        )
    return manifest()[name]


def checked_split(split: str) -> str:
    """`split` when it is one of SPLITS, else a Fault."""
    if split not in SPLITS:
        raise Fault(
            "unknown split",
            expected=" or ".join(SPLITS),
            found=repr(split),
            where="the split's name",
        )
    return split
