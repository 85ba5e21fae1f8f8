"""Chapter 11, second half: what a step lasts, from the rows of `questions.latency`.

Times are cycles over the clock of `data/technology.csv`.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from lindecay import events
from lindecay.energy import constants
from lindecay.figures import EXP, LIN, PURPLE
from lindecay.pages.scale import DATA
from lindecay.plots import Look
from lindecay.questions import fabric, grown, latency
from lindecay.questions.simulator import PARTS
from lindecay.results import number
from lindecay.studies import protocol

NAMES = {"accumulate": "accumulation", "merge": "merging"}
SHOWN = ("word by word", "row by row, each macro", "in place", "tree, in place")
LOOKS = {
    "word by word": Look(EXP, "-", "s"),
    "row by row, each macro": Look(PURPLE, "-", "^"),
    "in place": Look(LIN, "-", "o"),
    "tree, in place": Look(LIN, "--", "o", open=True),
}
BINS_US = (1, 3, 10, 100, 1_000, 10_000)
ROWS = {"note": "committed rows"}


@cache
def clock_mhz() -> float:
    """Cycles in a microsecond."""
    return constants.values(constants.load())["clock_mhz"]


def us(cycles: float) -> float:
    """Microseconds of so many cycles."""
    return cycles / clock_mhz()


def rows(name: str) -> pd.DataFrame:
    """A latency study as a table, in the order of its tasks."""
    return pd.DataFrame(protocol.kept(name))


def shares(table: pd.DataFrame, designs: tuple[str, ...] = SHOWN) -> pd.DataFrame:
    """Share of each part in a serial step, one row a size and design."""
    kept = table[table.what.isin(designs)]
    out = kept[["neurons", "what", "macros"]].rename(columns={"what": "update"})
    out["µs a step"] = us(kept.period)
    for part in PARTS:
        label = "update %" if part == "update" else f"{NAMES.get(part, part)} %"
        out[label] = 100 * kept[part] / kept.period
    return out.reset_index(drop=True)


def parts(table: pd.DataFrame, design: str = "in place") -> pd.DataFrame:
    """Cycles of each part of one design by size, for bars."""
    own = table[table.what == design]
    out = pd.DataFrame({"neurons": [f"{n:,}" for n in own.neurons]})
    for part in PARTS:
        out[NAMES.get(part, part)] = own[part].to_numpy()
    return out


def share_numbers(table: pd.DataFrame) -> dict:
    """Step and shares at both ends, in place and word by word."""
    told = {}
    ends = {"small": table.neurons.min(), "million": table.neurons.max()}
    for where, n in ends.items():
        at = table[table.neurons == n].set_index("what")
        for key, design in KEYS.items():
            row = at.loc[design]
            told[f"scale.us_{key}_{where}"] = number(us(row.period), digits=2)
            share = 100 * row["update"] / row.period
            told[f"scale.update_{key}_{where}"] = number(share, digits=0, unit="%")
        place = at.loc["in place"]
        for part in ("accumulate", "merge", "transport"):
            share = 100 * place[part] / place.period
            told[f"scale.{part}_{where}"] = number(share, digits=0, unit="%")
    last = table[table.neurons == ends["million"]].set_index("what")
    ratio = (
        last.loc["row by row, each macro", "update"] / last.loc["in place", "update"]
    )
    told["scale.row_over_place"] = number(ratio, digits=2)
    faster = last.loc["word by word", "period"] / last.loc["in place", "period"]
    told["scale.gain_million"] = number(faster, digits=0)
    fair = last.loc["word by word, each macro", "period"]
    fair = fair / last.loc["in place", "period"]
    told["scale.gain_fair"] = number(fair, digits=1)
    told["scale.macros_million"] = int(last.loc["in place", "macros"])
    told["scale.deepest_million"] = int(last.loc["in place", "deepest"])
    return told | cost_numbers(table)


def setting_numbers() -> dict:
    """What is assumed of networks and wires: sizes, shares, nanoseconds."""
    net, table = grown.Grown(1_000), constants.load()
    hop, barrier = table["mesh_hop_time"], table["mesh_barrier_time"]
    return {
        "scale.fan_in": net.fan_in,
        "scale.active": number(100 * net.active, digits=0, unit="%"),
        "scale.weight_bits": grown.BITS,
        "scale.middle": latency.SIZES[-2],
        "scale.cycle_ns": number(1000 / clock_mhz(), digits=0, unit="ns"),
        "scale.hop_ns": number([hop.low, hop.high], digits=1, unit="ns"),
        "scale.barrier_ns": number(barrier.value, digits=0, unit="ns"),
    }


KEYS = {  # end of an id -> design
    "word": "word by word",
    "row": "row by row, each macro",
    "place": "in place",
    "tree": "tree, in place",
}


def cost_numbers(table: pd.DataFrame) -> dict:
    """Events of the simulator for each packet handed over: the same at every size."""
    own = table[(table.what == "in place") & (table.neurons >= 10_000)]
    each = own.events / (own.delivered * own.steps)
    speed = own.events.iloc[-1] / own.seconds.iloc[-1] / 1e6
    return {
        "scale.events_each": number([min(each), max(each)], digits=1),
        "scale.events_most": int(own.events.max()),
        "scale.events_speed": number(speed, digits=1, unit="million a second"),
    }


def schedules(table: pd.DataFrame) -> pd.DataFrame:
    """Time between steps and latency of one, by size, update and schedule."""
    return pd.DataFrame(
        {
            "neurons": table.neurons,
            "update": table.what,
            "schedule": table.schedule,
            "µs between steps": us(table.period),
            "µs to the output": us(table.latency),
            "µs, slowest": us(table.late),
        }
    )


def schedule_numbers(table: pd.DataFrame) -> dict:
    """What a schedule gives in place, at 100,000 neurons: factors over serial."""
    own = table[(table.neurons == 100_000) & (table.what == "in place")]
    own = own.set_index("schedule")
    told = {}
    for name in ("pipelined", "overlapped"):
        for key in ("period", "latency"):
            factor = own.loc["serial", key] / own.loc[name, key]
            told[f"scale.{name}_{key}"] = number(factor, digits=1)
    return told


def cures(table: pd.DataFrame) -> pd.DataFrame:
    """Cycles of a serial step under each change, at three activities, ideal wires."""
    own = table[~table.what.str.contains(",")]
    out = own.pivot(index="what", columns="active", values="period")
    out = out.loc[list(dict.fromkeys(own.what))]
    out.columns = [f"{100 * a:g} % spike" for a in out.columns]
    macros = own.drop_duplicates("what").set_index("what").macros
    return out.assign(macros=macros).reset_index(names="change")


def cure_numbers(table: pd.DataFrame) -> dict:
    """Factors over the step as it was, by change, at each activity."""
    own = cures(table).set_index("change")
    base, told = own.loc["as it was"], {}
    for key, change in CURES.items():
        for end, column in (("quiet", 0), ("usual", 1), ("busy", 2)):
            factor = base.iloc[column] / own.loc[change].iloc[column]
            told[f"scale.cure_{key}_{end}"] = number(factor, digits=2)
    return told


CURES = {  # end of an id -> change
    "two": "two spikes a pass",
    "tree": "adder tree",
    "tall": "macros of 1024 rows",
    "low": "macros of 128 rows",
    "product": "exponential leak by a product",
    "shift": "exponential leak by a shift",
}


def wires(table: pd.DataFrame) -> pd.DataFrame:
    """Transport by wiring and kind of wire, with hops of a packet."""
    own = table[table.what.str.contains(",")]
    each = (own.hops / own.delivered).to_numpy()
    return pd.DataFrame(
        {
            "wiring": [w.split(", ")[0] for w in own.what],
            "wires": [WORDS[w.split(", ")[1]] for w in own.what],
            "hops": each,
            "transport, cycles": own.transport.to_numpy(),
            "share %": (100 * own.transport / own.period).to_numpy(),
            "step, cycles": own.period.to_numpy(),
        }
    )


WORDS = {
    "ideal": "ideal",
    "mesh": "a cycle a hop",
    "two": "two cycles a hop",
    "barrier": "and a barrier",
}


def wire_numbers(table: pd.DataFrame, adds_pj: float) -> dict:
    """Hops and shares near and far; a hop's energy beside an addition's.

    adds_pj: what it costs to add one spike in one row tile.
    """
    found, hop = wires(table), constants.load()["mesh_hop_energy"]
    told = {}
    for where in ("near", "far"):
        row = found[(found.wiring == where) & (found.wires == "a cycle a hop")].iloc[0]
        told[f"scale.hops_{where}"] = number(row.hops, digits=1)
        told[f"scale.transport_{where}"] = number(row["share %"], digits=0, unit="%")
        share = row.hops * hop.value / adds_pj
        told[f"scale.hop_share_{where}"] = number(share, digits=2)
    ends = [hop.low, hop.high]
    told["scale.hop_pj"] = number(ends, digits=1, unit="pJ")
    return told | {"scale.add_pj": number(adds_pj, digits=0, unit="pJ")}


def million(table: pd.DataFrame) -> pd.DataFrame:
    """A million neurons on tall macros, by update and schedule."""
    out = schedules(table).drop(columns="neurons")
    return out.assign(macros=table.macros.to_numpy())


def million_numbers(table: pd.DataFrame) -> dict:
    """Macros, inputs of a neuron, and the fastest and the slowest step."""
    place = table[table.what == "in place"].set_index("schedule")
    tree = table[table.what == "tree, in place"].set_index("schedule")
    queue = 100 * place.loc["serial", "accumulate"] / place.loc["serial", "period"]
    return {
        "scale.tall_macros": int(table.macros.max()),
        "scale.tall_inputs": latency.TALL["fan_in"],
        "scale.tall_side": latency.TALL["rows"],
        "scale.tall_us": number(us(place.loc["serial", "period"]), digits=1),
        "scale.tall_tree_us": number(us(tree.loc["overlapped", "period"]), digits=2),
        "scale.tall_queue": number(queue, digits=0, unit="%"),
    }


def deadlines(table: pd.DataFrame) -> pd.DataFrame:
    """The largest network whose serial step fits a bin of a sensor, by update."""
    out = []
    for bin_us in BINS_US:
        row = {"bin, µs": bin_us}
        for design in SHOWN:
            own = table[table.what == design].set_index("neurons").period
            budget = bin_us * clock_mhz()
            sizes = tuple(own.index)
            row[design] = latency.largest(own.__getitem__, budget, sizes)
        out.append(row)
    return pd.DataFrame(out)


def idle_numbers(table: pd.DataFrame) -> dict:
    """How much of a bin of 1 ms a million neurons in place are idle."""
    own = table[(table.what == "in place") & (table.neurons == table.neurons.max())]
    busy = us(float(own.period.iloc[0]))
    return {
        "scale.idle": number(100 * (1 - busy / 1000), digits=1, unit="%"),
        "scale.rate": number(1000 / busy, digits=0, unit="thousand steps a second"),
    }


# ---- closed forms


def forms(seed: int = 0) -> pd.DataFrame:
    """Simulated beside computed: one queue, a pipeline, the fullest queue, hops."""
    out = []
    for load in (0.2, 0.5, 0.8):
        found = latency.mean_wait(latency.poisson(load, 160, 100_000, seed), 160)
        what = f"mean wait, Poisson, load {load}"
        out.append((what, found, latency.md1(load, 160)))
    for n in (1_000, 10_000):
        net = grown.Grown(n, steps=40, seed=seed)
        told = latency.simulate(*grown.grown(net))
        out.append(
            (f"serial step, {n:,} neurons", told.period, latency.serial_step(net))
        )
    out += [flow_check(), hop_check()]
    table = pd.DataFrame(out, columns=["what", "simulated", "closed form"])
    return table.assign(off=100 * (table.simulated / table["closed form"] - 1))


def flow_check() -> tuple[str, float, float]:
    """A pipeline of four layers of one group each: the end of the last step."""
    net = grown.Grown(200, active=0.1, steps=12)
    made, sent = grown.grown(net)
    serial = latency.simulate(made, sent)
    ends = np.concatenate([[0], serial.finished.T.ravel()])
    took = np.diff(ends).reshape(net.steps, -1).T
    found = latency.simulate(made, sent, "pipelined")
    last = float(latency.flow(took)[-1, -1])
    return "pipeline, end of the last step", float(found.finished[-1, -1]), last


def hop_check(side: int = 12) -> tuple[str, float, float]:
    """Every node to every other, one packet each: mean hops."""
    made, n = fabric.Builder(1), side**2
    senses = made.sensor(n // 2)
    here = made.layer_of(n - n // 2, fabric.Programs(0, 0, 0, 0, (1,), 0))
    order = np.random.default_rng(0).permutation(n)
    made.link(np.repeat(senses, len(here)), np.tile(here, len(senses)))
    told = latency.simulate(
        made.fabric(order=order), made.traffic(), wires=latency.MESH
    )
    whole = latency.mean_hops(side) * n / (n - 1)  # two different nodes
    return f"mean hops, mesh of {side} x {side}", told.hops / told.delivered, whole


def form_numbers(table: pd.DataFrame) -> dict:
    """How far the simulator is from the closed forms, at most."""
    return {
        "scale.forms": len(table),
        "scale.forms_off": number(float(table.off.abs().max()), digits=1, unit="%"),
    }


def bursts(load: float = 0.5, service: int = 16, clips: int = 5) -> pd.DataFrame:
    """Mean wait of recorded spikes before one queue, over Poisson spikes of that load.

    A clip's own times are stretched so that the mean load is `load`.
    """
    out = []
    for name in ("nmnist", "shd"):
        source = events.locate(name, "quick").source
        opened, found, all_of = events.dataset(name, "train", "quick"), [], 0
        for k in np.linspace(0, len(opened) - 1, clips).astype(int):
            times = np.sort(opened[int(k)][0]["t"].astype(np.float64))
            times -= times[0]
            span = len(times) * service / load
            at = np.ceil(times / times[-1] * span).astype(np.int64) + 1
            found.append(latency.mean_wait(at, service) * len(at))
            all_of += len(at)
        wait = sum(found) / all_of
        form = latency.md1(load, service)
        row = {"set": DATA[name], "spikes": all_of, "mean wait, cycles": wait}
        row |= {"Poisson": form, "times Poisson": wait / form}
        out.append(row | {"source": source})
    return pd.DataFrame(out)


def burst_numbers(table: pd.DataFrame) -> dict:
    """How much longer recorded spikes wait than Poisson ones."""
    return {
        f"scale.burst_{key}": number(
            row["times Poisson"], digits=0, n=int(row.spikes), source=row.source
        )
        for key, (_, row) in zip(("nmnist", "shd"), table.iterrows())
    }


def live(table: pd.DataFrame, most: int = 10_000) -> dict:
    """Runs of `latency-shares` made again here, and how many cycles differ."""
    wrong = compared = 0
    kept = {row["key"]: row for row in table.to_dict("records")}
    for task in latency.STUDIES["latency-shares"]():
        if task.net.neurons <= most and task.key in kept:
            row, old = task.row(), kept[task.key]
            wrong += sum(row[k] != old[k] for k in ("period", "hops", *PARTS))
            compared += 2 + len(PARTS)
    return {"compared": compared, "differences": wrong}


def agreement(found: Mapping[str, dict]) -> pd.DataFrame:
    """One row a network: what was compared with the emulator and what differs."""
    return pd.DataFrame({"network": name, **told} for name, told in found.items())


def agreement_numbers(table: pd.DataFrame, faults: Mapping[str, int]) -> dict:
    """Networks, counts compared, differences; faults planted and caught."""
    caught = sum(n > 0 for n in faults.values())
    return {
        "scale.sim_networks": len(table),
        "scale.sim_compared": int(table.compared.sum()),
        "scale.sim_cycles": int(table.cycles.sum()),
        "scale.sim_differences": number(
            int(table.differences.sum()), n=int(table.compared.sum())
        ),
        "scale.faults": len(faults),
        "scale.faults_caught": number(caught, n=len(faults)),
    }
