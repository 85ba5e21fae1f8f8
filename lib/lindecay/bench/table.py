"""A bench as people read it, and what it says against a kept one.

    lindecay bench neurons --json > kept.json         a baseline
    lindecay bench neurons --against kept.json        what got slower since
    lindecay bench neurons --html table.html          machine, spread, floor

Ratios against a peer are compared, never times: both sides ran on the same machine.
"""

import json
import os
import platform
from collections.abc import Mapping
from html import escape
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path

from lindecay.settings import Fault
from lindecay.store import write_atomic

WORSE = 0.2  # of a ratio: more is told
VERSIONS = ("lindecay", "torch", "numba", "snntorch", "spikingjelly", "norse")
HEADS = ("work", "ours, ms", "fastest to slowest", "against", "ratio", "CPU ratio")
HEADS += ("share of its floor", "GSOP/s", "peak, MB")
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
body{background:Canvas;color:CanvasText}:root{color-scheme:light dark}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .6rem;border-bottom:1px solid GrayText}
th{text-align:left}td{text-align:right;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.6rem}
"""


def machine() -> dict[str, str]:
    """Processor, cores, system and versions of what took part."""
    told = {"processor": _processor(), "cores": str(os.cpu_count())}
    told |= {"system": f"{platform.system()} {platform.machine()}"}
    told["python"] = platform.python_version()
    for name in VERSIONS:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            continue
    return told


def _processor() -> str:
    """The processor's name where Linux tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(named, platform.processor() or "unknown")


def ratios(found: Mapping) -> dict[tuple[str, str], float]:
    """{(work, peer): how many times as long the peer takes}."""
    return {
        (work, peer): float(ratio)
        for work, row in found.items()
        if isinstance(row, Mapping) and isinstance(row.get("ratio"), Mapping)
        for peer, ratio in row["ratio"].items()
    }


def kept(path: Path | str) -> dict:
    """A bench that `--json` printed; Fault where the file holds none."""
    path = Path(path)
    expected = "what `lindecay bench WHAT --json` prints"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        told = type(error).__name__
        raise Fault("not a bench", expected=expected, found=told, where=path) from error
    told = _fault(found)
    if told:
        raise Fault("not a bench", expected=expected, found=told, where=path)
    return found


def _fault(found: object) -> str:
    """Why this is no bench; empty where it is one."""
    try:
        known = ratios(found) if isinstance(found, dict) else {}
    except (TypeError, ValueError):
        return "a ratio that is no number"
    if not all(isfinite(ratio) and ratio > 0 for ratio in known.values()):
        return "a ratio that is not positive"
    return "" if known else "no ratios"


def slower(found: Mapping, before: Mapping) -> list[str]:
    """A line for each peer ratio that fell by more than a fifth.

    >>> then, now = ({"step": {"ratio": {"snntorch": r}}} for r in (10.0, 7.0))
    >>> slower(now, then)
    ['step against snntorch: 7 times, was 10 times: 30 % less']
    """
    now, then = ratios(found), ratios(before)
    return [
        f"{work} against {peer}: {now[work, peer]:.3g} times, was {was:.3g} times: "
        f"{100 * (1 - now[work, peer] / was):.0f} % less"
        for (work, peer), was in then.items()
        if (work, peer) in now and now[work, peer] < (1 - WORSE) * was
    ]


def compared(found: Mapping, before: Mapping) -> list[str]:
    """What `--against` prints; each as a note of the workflow where GitHub runs it."""
    common = ratios(found).keys() & ratios(before).keys()
    if not common:
        return ["nothing in common with the kept bench"]
    told = slower(found, before)
    mark = "::notice title=slower::" if os.environ.get("GITHUB_ACTIONS") else "slower: "
    fine = f"{len(common) - len(told)} of {len(common)} ratios within {WORSE:.0%}"
    return [*(mark + line for line in told), fine]


def html(found: Mapping) -> str:
    """One page that needs no other file; light or dark as the reader's browser is."""
    named = ", ".join(f"{escape(k)} {escape(v)}" for k, v in machine().items())
    head = "".join(f'<th scope="col">{h}</th>' for h in HEADS)
    body = "\n".join(line for work, row in found.items() for line in _lines(work, row))
    caption = f"Medians of interleaved rounds; a ratio above 1: ours is faster. {named}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>lindecay bench</title><style>{STYLE}</style><main>"
        '<h1>lindecay bench</h1><div class="scroll" tabindex="0"><table>'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{body}\n</tbody></table></div></main></html>\n"
    )


def _lines(work: str, row: object) -> list[str]:
    """A row of the table for each peer of a work."""
    if not isinstance(row, Mapping) or not isinstance(row.get("ratio"), Mapping):
        return []
    span = row.get("spread", {}).get("ours")
    own = [_number(row.get("ours_ms")), " to ".join(map(_number, span or []))]
    rest = [_number(x) for x in (_share(row), row.get("gsops"), row.get("peak_mb"))]
    cpu = row.get("cpu_ratio", {})
    head = f'<th scope="row">{escape(work)}</th>'
    beside = {p: [p, _number(r), _number(cpu.get(p))] for p, r in row["ratio"].items()}
    return [f"<tr>{head}{_cells([*own, *b, *rest])}</tr>" for b in beside.values()]


def _share(row: Mapping) -> float | None:
    """Of its floor: the whole work's, else its roofline's, None where none is known."""
    whole = row.get("limit_fraction")
    return row.get("roofline", {}).get("fraction") if whole is None else whole


def _cells(values: list[str]) -> str:
    return "".join(f"<td>{escape(value)}</td>" for value in values)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def target(path: str) -> Path:
    """Where a table may be written; Fault where its folder is missing or it is one."""
    if Path(path).is_dir():
        raise Fault("no place for the table", expected="a file", found=path)
    if not Path(path).absolute().parent.is_dir():
        found = f"{path} in a folder that is not there"
        raise Fault("no place for the table", expected="a folder", found=found)
    return Path(path)


def write(found: Mapping, path: Path) -> None:
    """`html` into a file, all or nothing."""
    write_atomic(path, html(found).encode())
