"""Remedies as gates: two-input gates from Yosys, toggled by membranes of a network.

    picojoules = toggles / toggles of an adder of the same width x that adder's energy

The clock and the dithered λ change which λ a unit gets and in how many steps, not the
unit: their decay is the linear one's gates, in fewer steps or with other operands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lindecay import integer, store
from lindecay.energy import constants, gates, toggles
from lindecay.energy.gates import Datapath, Netlist
from lindecay.questions import leaks, remedies
from lindecay.studies import designs

SOURCE = Path(__file__).parent / "verilog" / "remedies.v"
NEW = {
    "slopes": Datapath(
        "two slopes", "remedy_slopes", ("v", "lam"),
        (("K", remedies.KNEE), ("S", remedies.TIMES)),
    ),
    "above": Datapath(
        "floor above rest", "remedy_above", ("v", "lam"), (("K", remedies.KNEE),)
    ),
}  # fmt: skip
OLD = {"shrink": gates.decay(toggles.OURS), "shift": gates.decay("shift-exponential")}
OLD |= {"exponential": gates.decay("v-LIF, 8-bit β")}
FEW = 20_000  # membranes


def netlist(path: Datapath, B: int) -> Netlist:
    """The gates of a remedy at B bits of membrane."""
    text, source = gates.top(path, B, B + 3), SOURCE.read_text()
    params = {"top": text, "source": source, "recipe": gates.SYNTH}

    def build(folder: Path) -> None:
        (folder / "remedies.v").write_text(source)
        (folder / "top.v").write_text(text)
        script = f"read_verilog remedies.v top.v; {gates.SYNTH}write_json top.json"
        gates.yosys(script, folder)

    home = store.memo("gates", params, (), build)
    return Netlist.from_json((home / "top.json").read_text())


def membranes(law: str) -> tuple[np.ndarray, np.ndarray]:
    """V before each decay and what the law makes of it, int64 [n], of a full array."""
    ck, clips = leaks.full_array(FEW // 256 + 1)
    ck = leaks.under(ck, {b[0]: n for n, b in reversed(leaks.BILLED.items())}[law])
    V = integer.run(ck, clips).layers[0].V[0, :-1].astype(np.int64).reshape(-1)
    lam = np.full(V.shape, leaks.MEAN)
    return V, remedies.LAWS[law]().whole(V, lam) if law in NEW else V


def measured(law: str, B: int = 10) -> dict:
    """Gates and toggles of a decay, and how many of its answers are not the law's."""
    path = (NEW | OLD)[law]
    net = netlist(path, B) if law in NEW else gates.netlist(path, B)
    V, wanted = membranes(law)
    told = {"v": V, "lam": np.full(V.shape, leaks.MEAN)}
    told["beta"] = np.full(V.shape, toggles.beta_for(path))
    told = {k: told[k] for k in path.inputs}
    out, moved = gates.simulate(net, told)
    wrong = int((out["y"] != wanted).sum()) if law in NEW else 0
    wild = gates.glitches(net, {k: x[:FEW] for k, x in told.items()})
    each = {"calm": gates.energy(net, moved, len(V))}
    each["wild"] = gates.energy(net, wild, min(FEW, len(V)) - 1)
    return {
        "law": law,
        "gates": len(net.cells),
        "area": net.area,
        "wrong": wrong,
    } | each


@dataclass(frozen=True)
class Gates:
    """One decay in gates, over the adder that turns toggles into joules."""

    law: str
    bits: int = 10

    @property
    def key(self) -> str:
        """Readable and unique."""
        return f"gates,{self.law},{self.bits}"

    def row(self) -> dict:
        """Gates, NAND areas and pJ of a decay, settled and with glitches."""
        with remedies.known():
            told = measured(self.law, self.bits)
        adder = gates.netlist(gates.ADDER, self.bits)
        noise = toggles.noise(self.bits)
        settled = gates.energy(adder, gates.simulate(adder, noise)[1], len(noise["v"]))
        wild = gates.energy(adder, gates.glitches(adder, noise), len(noise["v"]) - 1)
        cost = constants.values(constants.load())["add8"] * self.bits / 8
        calm_pj, wild_pj = told["calm"] / settled * cost, told["wild"] / wild * cost
        told |= {"pj": round(float(calm_pj), 4), "glitch_pj": round(float(wild_pj), 4)}
        return {"key": self.key} | told


def _gates() -> Iterator[Gates]:
    """Gates, area and picojoules of the remedies as words of logic."""
    for law in (*OLD, *NEW):
        yield Gates(law)


STUDIES = designs.added({"limits-gates": _gates})
