"""A folder that anybody can simulate: Verilog, memory images, testbench, Makefile.

files = fixed modules + one module a layer + chip + images + what must come out
"""

import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from lindecay.events import Clips
from lindecay.laws import refuse_timed
from lindecay.quantization import Checkpoint
from lindecay.rtl import bench, words
from lindecay.rtl.emulator import LayerMachine, MacroSpec, build, emulate
from lindecay.rtl.layer import LayerRtl
from lindecay.settings import Fault

MODULES = ("sram", "columns", "decoder", "queue", "sequencer", "macro", "controller")
MODULES += ("encoder", "address")
BENCH_ONLY = ("meter",)
MOST_COLUMNS = 4096  # of one layer: wider vectors are slow to simulate
MOST_CELLS = 2**27  # bits of all arrays
FILES = ("Makefile", "README.md")


def source(name: str) -> str:
    """A fixed module as text."""
    return (files("lindecay.rtl") / "verilog" / f"{name}.v").read_text()


@dataclass(frozen=True)
class Hardware:
    """A network (or one tile of a convolution) as files, name -> text."""

    layers: list[LayerRtl]
    files: dict[str, str]


def simulable(machines: list) -> None:
    """Fault where a network is too large, or a layer has no hardware of its own."""
    for machine in machines:
        plan = getattr(machine, "machine", machine).plan
        cells = plan.row_tiles * plan.rows * plan.outputs
        if plan.outputs > MOST_COLUMNS or cells > MOST_CELLS:
            raise Fault(
                f"layer {plan.name} is too large for a simulation",
                expected=f"up to {MOST_COLUMNS} columns and {MOST_CELLS} cells",
                found=f"{plan.outputs} columns, {cells} cells",
            )


def chained(ck: Checkpoint) -> None:
    """Fault unless every layer is fully connected and reads the one before."""
    refuse_timed(ck.law, "Verilog, whose λ is a register that stays")
    for i, layer in enumerate(ck.layers):
        plain = layer.kind == "linear" and not (layer.more or layer.delay)
        plain &= layer.source in (None, i - 1) and layer.pool == 1
        if not plain:
            raise Fault(
                f"{layer.name} is no layer of a chip",
                expected="fully connected layers in a row",
                found=layer.kind if layer.kind == "conv" else "other wiring",
                do="of a convolution run one tile: rtl.check.tile.",
            )


def hardware(
    machines: list[LayerMachine],
    used: list,
    states,
    ledger,
    events,
    clips: int,
    kind=LayerRtl,
) -> Hardware:
    """Everything about layers in a row, and what their testbench expects."""
    indptr, channel = events
    steps = (len(indptr) - 1) // clips
    layers, depth = [], _depth(machines[0], indptr, channel)
    for i, (machine, columns) in enumerate(zip(machines, used)):
        layers.append(kind(machine, i, steps, depth, columns))
        depth = machine.plan.outputs  # of the next one: no more than all spike
    out = {f"{name}.v": source(name) for name in (*MODULES, *BENCH_ONLY)}
    out |= {"language.vh": words.header(), "chip.v": bench.chip(layers)}
    for i, (layer, state) in enumerate(zip(layers, states)):
        out |= layer.images() | {f"layer{i}.v": layer.verilog()}
        out[f"expect{i}.hex"] = bench.expected(state, layer.plan.B)
        out[f"counts{i}.hex"] = bench.counts(ledger, layer.plan.name)
    out["events.hex"] = bench.events(indptr, channel)
    n = out["events.hex"].count("\n")
    limit = 3 * ledger.total().cycles + 10 * n + 1000
    text = bench.testbench(layers, clips, n, limit)
    return Hardware(layers, out | {"bench.v": text})


def _depth(machine: LayerMachine, indptr, channel) -> int:
    """Room of a queue's bank: the most spikes of a step at one row tile."""
    tiles, steps = machine.plan.row_tiles, len(indptr) - 1
    step = np.repeat(np.arange(steps), np.diff(indptr))
    at = step * tiles + machine.plan.tile_of[channel]
    return int(np.bincount(at, minlength=1).max(initial=1))


def network(
    ck: Checkpoint, clips: Clips, spec: MacroSpec | None = None, alter=None
) -> Hardware:
    """A fully connected network as a chip: every layer, spikes over the wires.

    Args:
        alter: called with index and machine of each layer; mutants of the microcode.

    Raises:
        Fault: a layer that is too large, or a convolution (see `tile`).
    """
    spec = spec or MacroSpec()
    chained(ck)
    if clips.count is not None:
        raise Fault("spikes of a chip", expected="one or none a bin", found="counts")
    _, machines = build(ck, spec)
    simulable(machines)
    run = emulate(ck, clips, spec)
    for i, machine in enumerate(machines):
        if alter:
            alter(i, machine)
    used = [np.ones(m.plan.outputs, bool) for m in machines]
    told = run.trace.layers, run.ledger, (clips.indptr, clips.channel)
    return hardware(machines, used, *told, len(clips))


def write(found: Hardware, folder: Path) -> Path:
    """All files into a new folder, or none of them.

    Raises:
        Fault: when the folder is there already.
    """
    folder = Path(folder)
    if folder.exists():
        raise Fault("the folder is there already", expected="a new one", found=folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, text in (found.files | told(found)).items():
            (part / name).write_text(text)
        part.chmod(0o755)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return folder


def sources(found: Hardware) -> list[str]:
    """The Verilog files in the order in which a tool may read them."""
    return sorted(name for name in found.files if name.endswith(".v"))


def told(found: Hardware) -> dict[str, str]:
    """Makefile and README of the folder."""
    synth = [f"{m}.v" for m in MODULES if m != "sram"]
    names = " ".join(sources(found))
    layers = "\n".join(
        f"| layer{x.index} | {x.plan.inputs} | {x.plan.outputs} | {x.plan.row_tiles} | "
        f"{x.plan.A} | {len(x.phases) - 1} |"
        for x in found.layers
    )
    return {
        "Makefile": MAKEFILE.format(sources=names, synth=" ".join(synth)),
        "README.md": README.format(layers=layers),
    }


MAKEFILE = """\
# make: simulate and check; make vcd: with a waveform; make lint: Yosys' checks
SOURCES = {sources}
SYNTH = {synth}

check: sim
\tvvp -n sim | tee log
\tgrep -q '^PASS$$' log

vcd: sim
\tvvp -n sim +vcd

sim: $(SOURCES) language.vh
\tiverilog -g2005 -s bench -o sim $(SOURCES)

lint:
\tyosys -p 'read_verilog $(SYNTH); hierarchy -top columns; proc; check -assert'

.PHONY: check vcd lint
"""

README = """\
# A spiking layer as an SRAM array, in Verilog-2005

Written by `lindecay rtl`. `make` (Icarus Verilog) runs the testbench `bench`: it
feeds the spikes of `events.hex` to `chip` and compares every membrane before and after
the reset (U, V), every spike and every counter of the ledger with the emulator's
(`expect*.hex`, `counts*.hex`). The last line is PASS or FAIL.

| module | inputs | neurons | row tiles | membrane rows | phases a step |
|---|---|---|---|---|---|
{layers}

- `sram.v`: cells, behavioural, with the rules of the ports. All else synthesises.
- `columns.v`: adder, carry, sign and tag latch below each column.
- `sequencer.v`, `rom*.hex`: microcode, one line a cycle; fields in `language.vh`.
- `controller.v`, `dispatch*.hex`: which macro runs which program in which phase.
- `queue.v`, `address.v`, `map*.hex`: spikes wait as rows of their weights.
- `encoder.v`: the spikes of a step as addresses for the next layer.
- `meter.v`, `bench.v`: the testbench.
"""
