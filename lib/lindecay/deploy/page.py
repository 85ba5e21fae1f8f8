"""The report of a visit as one HTML file: no script, nothing from outside.

All names come from a stranger's file and are escaped.
"""

from html import escape
from pathlib import Path

from lindecay.deploy.visit import Visit
from lindecay.store import write_atomic

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.3rem 0.6rem; border-bottom: 1px solid #bbb; }
svg text { font: 13px system-ui, sans-serif; fill: currentColor; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } }
"""
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"


def page(found: Visit, path: Path) -> Path:
    """Write the report; returns the path."""
    return write_atomic(Path(path), html(found).encode())


def html(found: Visit) -> str:
    """The whole page."""
    f, title = found.face, escape(found.title or "a network")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title} on the SRAM array</title><style>{STYLE}</style></head><body>",
        f"<h1>{title} on the SRAM array</h1>",
        f"<p>{_summary(f)}</p>",
        "<h2>Layers</h2>",
        _table([_told(row) for row in f["layers"]]),
        "<h2>Where the cycles go</h2>",
        _bars(
            {r["name"]: r["cycles_per_clip"] for r in f["layers"]},
            "cycles a clip",
            BLUE,
        ),
        _bars(
            {k: v / max(f["clips"], 1) for k, v in found.programs.items()},
            "cycles a clip, by program (layers side by side are not added up)",
            GREEN,
        ),
        "<h2>Where the energy goes</h2>",
        _bars(
            {k: v / max(f["clips"], 1) * 1e-3 for k, v in found.parts.items()},
            "nJ a clip, by component",
            RED,
        ),
    ]
    if any(r["agreement"] is not None for r in f["layers"]):
        shares = {r["name"]: 100 * (1 - (r["agreement"] or 0)) for r in f["layers"]}
        parts.append("<h2>What the grid costs</h2>")
        parts.append(_bars(shares, "% of spikes that differ from the floats", BLUE))
    if found.tried:
        parts += ["<h3>Grids that the calibration tried</h3>", _table(found.tried)]
    if found.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
        parts.append(f"<h2>Notes</h2><ul>{items}</ul>")
    return "\n".join([*parts, "</body></html>", ""])


def _summary(f: dict) -> str:
    """The answer in a paragraph."""
    grid = f["grid"]
    told = (
        f"{f['clips']} clips ({escape(str(f['source']))}), layout {f['layout']},"
        f" {grid['weight_bits']}-bit weights, {grid['membrane_bits']}-bit membranes,"
        f" {f['macros']} macros. "
    )
    if f["accuracy_array"] is not None:
        wide = f["accuracy_float"]
        told += f"Accuracy {100 * f['accuracy_array']:.1f} % on the array"
        told += "" if wide is None else f", {100 * wide:.1f} % in floating point"
        told += ". "
    told += (
        f"{f['differences']} differences in {f['states_compared']:,} states of array"
        f" and integer network. {f['cycles_per_clip']:,.0f} cycles,"
        f" {f['us_per_clip']:,.1f} µs"
        f" and {f['uj_per_clip']:.3g} µJ a clip"
    )
    sop = f["pj_per_sop"]
    return told + ("." if sop is None else f", {sop:.3g} pJ a synaptic operation.")


def _told(row: dict) -> dict:
    """A layer's row with numbers that a reader wants."""
    keep = ("name", "neurons", "law", "reset", "spikes", "agreement", "macros")
    out = {key: row[key] for key in keep}
    out["cells used"] = f"{100 * row['utilisation']:.0f} %"
    out["cycles a clip"] = f"{row['cycles_per_clip']:,.0f}"
    return out | {"µJ a clip": f"{row['uj_per_clip']:.3g}"}


def _cell(value) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = (
        "" if value is None else f"{value:.4g}" if isinstance(value, float) else value
    )
    return f"<td{' class=number' if number else ''}>{escape(str(text))}</td>"


def _table(rows: list[dict]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(str(key))}</th>" for key in rows[0])
    body = "".join(
        "<tr>" + "".join(_cell(v) for v in row.values()) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bars(values: dict[str, float], unit: str, colour: str) -> str:
    """Horizontal bars as SVG, a line each."""
    rows = [(k, float(v)) for k, v in values.items() if v]
    top = max((v for _, v in rows), default=0) or 1
    high, lines = 24 * len(rows) + 4, []
    for i, (name, value) in enumerate(rows):
        y = 24 * i + 4
        lines.append(
            f'<text x="196" y="{y + 14}" text-anchor="end">{escape(str(name))}</text>'
            f'<rect x="204" y="{y}" width="{400 * value / top:.1f}" height="18"'
            f' fill="{colour}"/>'
            f'<text x="{212 + 400 * value / top:.1f}" y="{y + 14}">{value:,.4g}</text>'
        )
    names = ", ".join(f"{escape(str(k))} {v:,.4g}" for k, v in rows)
    label = f"{escape(unit)}: {names}"
    return (
        f'<figure><svg role="img" aria-label="{label}" viewBox="0 0 700 {high}"'
        f' width="100%">{"".join(lines)}</svg><figcaption>{escape(unit)}</figcaption>'
        "</figure>"
    )
