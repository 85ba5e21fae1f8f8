"""Standard cells: the datapaths mapped to a real library, where Debian's package is.

    area of a datapath = sum of its cells' areas

OSU's 0.18 um library as Debian packs it (qflow-tech-osu018, GPL): read where it is
installed, never copied. Areas are that node's; a ratio of two of them moves little from
node to node. No toggles here: mapping is for area and for the number of cells.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lindecay import store
from lindecay.arms import PRODUCT, SHIFT
from lindecay.energy import gates, toggles

LIBERTY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
MISSING = "not mapped here: Debian's qflow-tech-osu018 and Yosys are not both installed"
MAP = "abc -liberty {lib}; opt_clean -purge; "
MAP += "tee -q -o {out} stat -json -liberty {lib}; "


@dataclass(frozen=True)
class Mapped:
    """One datapath in cells of the library."""

    name: str
    neuron: bool
    bits: int
    cells: int
    area_um2: float


def available() -> bool:
    """Whether library and Yosys are here."""
    return LIBERTY.exists() and gates.available()


def mapped(B: int, A: int) -> list[Mapped]:
    """Every datapath, decay alone and whole neuron, at these widths; kept in the store.

    Raises:
        Fault: when Yosys fails.
    """
    paths = [*gates.DECAYS, *(path.whole() for path in gates.DECAYS)]
    tops = {gates.slug(path): gates.top(path, B, A) for path in paths}
    params = {"tops": tops, "source": gates.SOURCE.read_text(), "map": MAP}
    params["library"] = store.key_of({"text": LIBERTY.read_text()}, ())

    def build(folder: Path) -> None:
        (folder / "neuron.v").write_text(gates.SOURCE.read_text())
        script = "read_verilog neuron.v; design -save ours; "
        for name, text in tops.items():
            (folder / f"{name}.v").write_text(text)
            script += f"design -load ours; read_verilog {name}.v; "
            script += "synth -flatten -top top; "
            script += MAP.format(lib=LIBERTY, out=f"{name}.json")
        gates.yosys(script, folder)

    folder = store.memo("cells", params, (), build)
    return [_read(folder / f"{gates.slug(path)}.json", path, B) for path in paths]


def _read(file: Path, path: gates.Datapath, B: int) -> Mapped:
    told = json.loads(file.read_text())["design"]
    return Mapped(path.name, path.neuron, B, told["num_cells"], float(told["area"]))


def table(B: int, A: int) -> list[dict]:
    """Rows for a table: the datapaths in cells, or the one note that they are not."""
    return ratios(mapped(B, A)) if available() else [{"name": MISSING}]


def told(rows: list[dict]) -> str:
    """The ratios of area in words, generated."""
    by = {(r["name"], r["neuron"]): r["over ours"] for r in rows if "neuron" in r}
    if not by:
        return MISSING
    return "; ".join(
        f"{name}: {by[name, False]:.1f} times the area alone, "
        f"{by[name, True]:.1f} times with the neuron"
        for name in SPOKEN
    )


SPOKEN = (PRODUCT, SHIFT)


def ratios(found: list[Mapped]) -> list[dict]:
    """Rows for a table: cells, area, area over the sign-aware linear decay's."""
    ours = {m.neuron: m.area_um2 for m in found if m.name == toggles.OURS}
    return [asdict(m) | {"over ours": m.area_um2 / ours[m.neuron]} for m in found]
