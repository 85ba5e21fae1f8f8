"""Proofs by SAT: each decay datapath equals its specification for all inputs.

Yosys joins datapath (neuron.v, decays.v) and specification (spec.v) in a miter and
searches for an input at which they differ. And structure: the array's logic as Yosys
reads it has no latch and no net with two drivers.
"""

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from lindecay import rtl
from lindecay.energy import gates
from lindecay.energy.gates import Datapath
from lindecay.energy.mapped import MORE, datapaths
from lindecay.settings import Fault

SPEC = gates.SOURCE.parent / "spec.v"
WIDTHS = (4, 5, 6, 7, 8)
DEEP = 6  # a 16-bit β: wider ones take SAT minutes


def proofs(widths=WIDTHS) -> list[tuple[Datapath, int]]:
    """Every datapath at each width that SAT does in seconds."""
    out = [(p, B) for p in datapaths() for B in widths]
    return [(p, B) for p, B in out if dict(p.parameters).get("N") != 16 or B <= DEEP]


def _given(path: Datapath, B: int) -> str:
    return " ".join(f"-chparam {k} {x}" for k, x in (("B", B), *path.parameters))


def script(path: Datapath, B: int) -> str:
    """Yosys' commands that prove one datapath at one width."""
    spec, given = path.module.replace("decay_", "spec_"), _given(path, B)
    one = "design -reset; read_verilog neuron.v decays.v spec.v; "
    one += f"hierarchy {given} -top {{name}}; proc; flatten; opt_clean; "
    one += "rename -top {new}; design -stash {new}; "
    joined = one.format(name=spec, new="gold") + one.format(
        name=path.module, new="gate"
    )
    joined += "design -reset; design -copy-from gold -as gold gold; "
    joined += "design -copy-from gate -as gate gate; "
    joined += "miter -equiv -flatten -make_assert gold gate miter; "
    return joined + "sat -verify -prove-asserts -set-def-inputs miter; "


def rest(B: int) -> str:
    """Yosys' commands that prove that shrink never crosses rest."""
    return (
        "design -reset; read_verilog neuron.v decays.v spec.v; "
        f"hierarchy -chparam B {B} -top spec_rest; proc; flatten; "
        "sat -verify -prove ok 1 -set-def-inputs; "
    )


def prove(
    widths=WIDTHS, source: dict[str, str] | None = None, names: tuple = ()
) -> dict[str, int]:
    """Run all proofs: how many datapaths and widths hold.

    Args:
        names: only these datapaths.
        source: other text for a file, file name -> text; mutants.

    Raises:
        Fault: a proof fails (Yosys names the line), or Yosys is missing.
    """
    chosen = [(p, B) for p, B in proofs(widths) if not names or p.name in names]
    text = "".join(script(path, B) for path, B in chosen)
    text += "".join(rest(B) for B in widths)
    with tempfile.TemporaryDirectory() as folder:
        for file in (gates.SOURCE, MORE, SPEC):
            shutil.copy(file, folder)
        for name, other in (source or {}).items():
            (Path(folder) / name).write_text(other)
        gates.yosys(text, Path(folder))
    held = {"datapaths": len({p.name for p, _ in chosen}), "proofs": len(chosen)}
    return held | {"widths": max(widths), "rest": len(widths)}


LINT = (
    "read_verilog -lib sram.v; read_verilog -defer {files}; "
    "hierarchy -check -top {top}; proc; flatten; opt; check -assert; "
    "memory -nomap; opt_clean; check -assert; "
    "select -assert-none t:$dlatch t:$adlatch t:$sr t:$dlatchsr; "
    "tee -q -o stat.json stat -json; "
)


def structure(found: rtl.project.Hardware, layer: int = 0) -> dict[str, int]:
    """Cells of a layer's logic (the array is a black box), after Yosys' checks.

    Raises:
        Fault: a latch, a net with several drivers or with none.
    """
    files = [f"{m}.v" for m in rtl.project.MODULES if m != "sram"] + [f"layer{layer}.v"]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in found.files.items():
            (Path(folder) / name).write_text(text)
        head = found.files["sram.v"].split(");\n")[0]
        (Path(folder) / "sram.v").write_text(f"{head});\nendmodule\n")
        call = LINT.format(files=" ".join(files), top=f"layer{layer}")
        gates.yosys(call, Path(folder))
        told = (Path(folder) / "stat.json").read_text()
    kinds = re.findall(r'"(\$[a-z_]+)":\s*(\d+)', told)
    return {kind: int(n) for kind, n in kinds}


def with_latch(found: rtl.project.Hardware) -> rtl.project.Hardware:
    """The hardware with a latch that was not meant: the check must see it."""
    text = found.files["encoder.v"].replace("    index = 0;\n", "")
    if text == found.files["encoder.v"]:
        raise Fault("a mutant", expected="index = 0", found="no such line")
    return replace(found, files=found.files | {"encoder.v": text})
