"""Who said a number: entries of book/references.bib in one line each."""

import re
from functools import cache
from pathlib import Path

from lindecay.energy.constants import Constant
from lindecay.settings import Fault, root

ENTRY = re.compile(r"^@(\w+)\{([^,]+),\n(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*?)\},?\s*$", re.M)


@cache
def entries(path: Path | None = None) -> dict[str, dict[str, str]]:
    """Fields of every entry by key; braces and TeX accents of titles removed."""
    path = path or root() / "book" / "references.bib"
    found = {}
    for kind, key, body in ENTRY.findall(path.read_text("utf-8")):
        fields = {k.lower(): _plain(v) for k, v in FIELD.findall(body)}
        found[key] = {"type": kind} | fields
    return found


def _plain(text: str) -> str:
    text = text.replace(r"{\textmu}", "µ").replace("$^2$", "²")
    return re.sub(r"[{}]", "", text)


def cite(key: str) -> str:
    """First author, year and where to find it; Fault for an unknown key.

    >>> cite("stillmaker2017scaling")
    'Stillmaker and Baas 2017, doi:10.1016/j.vlsi.2017.02.002'
    """
    if key == "assumption":
        return "no source: a swept range"
    if key not in entries():
        raise Fault("no such source", expected="a key of references.bib", found=key)
    one = entries()[key]
    authors = one.get("author", key).split(" and ")
    names = [a.split(",")[0].strip() for a in authors]
    who = names[0] if len(names) == 1 else f"{names[0]} et al."
    who = " and ".join(names) if len(names) == 2 and names[1] != "others" else who
    place = f"doi:{one['doi']}" if "doi" in one else ""
    place = place or (f"arXiv:{one['eprint']}" if "eprint" in one else "")
    place = place or one.get("journal") or one.get("booktitle") or ""
    return f"{who} {one['year']}, {place}".rstrip(", ")


def table(constants: dict[str, Constant], role: str = "model") -> list[dict]:
    """Constants of one role with their spread at 65 nm and 1.0 V and their source."""
    rows = []
    for key, one in constants.items():
        if one.role != role:
            continue
        unit = one.unit_of_ours.replace("dimensionless", "1")
        small = unit == "pJ" and one.headline()[0] < 0.1
        value, low, high = (x * (1e3 if small else 1) for x in one.headline())
        at = f"{one.node_nm} nm" + (f", {one.vdd_V:g} V" if one.vdd_V else "")
        rows.append(
            {
                "constant": key,
                "at 65 nm, 1.0 V": f"{value:.3g}",
                "spread": f"{low:.3g} – {high:.3g}",
                "unit": "fJ" if small else unit,
                "from": at,
                "kind": one.kind,
                "source": cite(one.source),
                "verified": one.verified,
            }
        )
    return rows
