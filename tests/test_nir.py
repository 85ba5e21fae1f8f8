"""NIR in and out: graphs that others wrote, and ours written and read back."""

import os
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

import oracle
from lindecay import events, graphs, integer, neurons, sram
from lindecay.events import Binning
from lindecay.graphs import floats, nirs
from lindecay.neurons import LinearDecayLIF
from lindecay.settings import Fault

nir = pytest.importorskip("nir", reason="the optional package nir is not installed")
REAL = Path(os.environ.get("LINDECAY_NIR", "/nowhere"))


def frames(*shape, density=0.4, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((10, 4, *shape)) < density).astype(np.uint8)


def spread(value, *shape):
    return np.full(shape, value, np.float32)


def neuron(kind="IF", *shape, theta=1.0, **more):
    """A neuron node of a shape."""
    if kind == "IF":
        zero = spread(0, *shape)
        return nir.IF(
            r=spread(1, *shape), v_threshold=spread(theta, *shape), v_reset=zero
        )
    values = {
        "tau": 1e-3,
        "r": 10.0,
        "v_leak": 0.0,
        "v_threshold": theta,
        "v_reset": 0.0,
    }
    return nir.LIF(**{k: spread(v, *shape) for k, v in (values | more).items()})


def graph(nodes: dict, edges: list, given=(6,), out=(3,)):
    nodes = {
        "input": nir.Input(np.array(given)),
        **nodes,
        "output": nir.Output(np.array(out)),
    }
    return nir.NIRGraph(nodes=nodes, edges=edges, type_check=False)


def chain(*nodes, given=(6,), out=(3,)):
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    return graph(named, list(zip(names, names[1:])), given, out)


def weights(*shape, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def pooled_net():
    """Convolution, sum pooling, grouped and dilated convolution, average, affine."""
    conv = nir.Conv2d((8, 8), weights(4, 1, 3, 3), 1, 1, 1, 1, weights(4, seed=1))
    two = np.array([2, 2])
    deep = nir.Conv2d(
        (4, 4),
        weights(4, 2, 2, 2, seed=2),
        (1, 2),
        (1, 0),
        (1, 2),
        2,
        weights(4, seed=3),
    )
    return chain(
        conv, neuron("IF", 4, 8, 8), nir.SumPool2d(two, two, np.zeros(2, int)), deep,
        neuron("LIF", 4, 5, 1, tau=4e-4, r=4.0), nir.Scale(weights(4, 1, 1, seed=5)),
        nir.Flatten({"input": np.array([4, 5, 1])}, 0),
        nir.Affine(weights(3, 20, seed=4), weights(3)), neuron("IF", 3),
        given=(1, 8, 8),
    )  # fmt: skip


def looped():
    """A recurrent layer, and a residual sum into the last one."""
    nodes = {
        "fc": nir.Affine(weights(5, 6), weights(5, seed=1)), "lif": neuron("LIF", 5),
        "back": nir.Linear(weights(5, 5, seed=2)),
        "on": nir.Linear(weights(3, 5, seed=3)),
        "past": nir.Linear(weights(3, 6, seed=4)), "out": neuron("IF", 3),
    }  # fmt: skip
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "back"), ("back", "lif")]
    edges += [("lif", "on"), ("on", "out"), ("input", "past"), ("past", "out")]
    return graph(nodes, [*edges, ("out", "output")])


def by_hand(steps, reset):
    """The recurrent network in plain numpy, step by step."""
    g = looped().nodes
    v, s, u, out = np.zeros((4, 5)), np.zeros((4, 5)), np.zeros((4, 3)), []
    for x in steps.astype(float):
        drive = x @ g["fc"].weight.T + g["fc"].bias + s @ g["back"].weight.T
        v = v + 0.1 * (10 * drive - v)
        s = (v > 1).astype(float)
        v = np.where(s > 0, v - 1 if reset == "subtract" else 0, v)
        u = u + s @ g["on"].weight.T + x @ g["past"].weight.T
        fired = (u > 1).astype(float)
        u = np.where(fired > 0, u - 1 if reset == "subtract" else 0, u)
        out.append(fired)
    return np.stack(out, 1)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_a_recurrent_and_residual_graph_runs_as_its_equations(reset):
    x = frames(6)
    reading = graphs.read(looped(), x, reset=reset)
    own = reading.run(x)
    assert np.array_equal(own.spikes[1], by_hand(x, reset)) and own.spikes[1].any()
    assert [p.delay for p in reading.graph.layers[0].paths] == [0, 1]


NETS = {"pooled": (pooled_net, (1, 8, 8)), "looped": (looped, (6,))}


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("name", NETS)
def test_a_graph_on_the_array_equals_integers_and_oracle(name, reset, tmp_path):
    make, shape = NETS[name]
    x = frames(*shape)
    nir.write(tmp_path / "net.nir", make())
    run = sram.emulate(str(tmp_path / "net.nir"), x, reset=reset, weight_bits=6)
    assert run.report["differences"] == 0 < run.report["compared"]
    assert run.ledger.conserved(256) == []
    assert all(row["spikes"] for row in run.report["layers"])
    assert min(row["agreement"] for row in run.report["layers"]) > 0.85
    network = oracle.load(run.checkpoint.save(tmp_path / "ck.npz"))
    given = integer.events_of(run.clips)
    found = oracle.states(network, oracle.frames_of(network, *given, 4))
    for ours, judged in zip(run.trace.layers, found):
        for key in "UVS":
            np.testing.assert_array_equal(getattr(ours, key), judged[key], key)


@pytest.mark.skipif(not REAL.exists(), reason="LINDECAY_NIR names no cnn_sinabs.nir")
def test_the_network_of_the_nir_paper_on_real_clips():
    binning = Binning(dt_us=1000, steps=300, counted=True)
    clips = events.clips("nmnist", "test", "quick", binning)
    if clips.source == "stand-in":
        pytest.skip("no recordings here")
    frames = clips.dense()
    for reset, right, spikes in (("subtract", 98, 346), ("zero", 100, 108)):
        found = graphs.read(REAL, frames, reset=reset).run(frames)
        assert (found.predictions == clips.labels).sum() == right
        assert round(found.spikes[-1].sum() / 100) == spikes
    few = clips.subset([0, 50])
    run = sram.emulate(REAL, few, reset="zero", record=False)
    assert run.report["differences"] == 0 and run.report["predictions_agree"] == 1


LAWS = {
    "shrink": dict(lam=0.1),
    "floor": dict(lam=0.05, law="floor", reset_mechanism="zero"),
    "drift": dict(lam=0.02, law="drift"),
    "none": dict(law="none"),
    "if": dict(law="none", reset_mechanism="zero"),
    "exponential": dict(law="exponential", beta=0.8, reset_mechanism="zero"),
}


@pytest.mark.parametrize("law", LAWS)
def test_our_neurons_leave_and_come_back_the_same(law, tmp_path):
    torch.manual_seed(0)
    lif = [LinearDecayLIF(threshold=0.4, **LAWS[law]) for _ in range(2)]
    net, x = nn.Sequential(nn.Linear(6, 8), lif[0], nn.Linear(8, 3), lif[1]), frames(6)
    want = graphs.read(net, x)
    for made in (
        neurons.to_nir(net, extension=True),
        graphs.to_nir(net, x),
        graphs.to_nir(want.graph),
    ):
        nir.write(tmp_path / "net.nir", made)
        found = graphs.read(tmp_path / "net.nir", x)
        for a, b in zip(found.run(x).spikes, want.run(x).spikes):
            assert np.array_equal(a, b) and a.any()


def test_a_reader_that_does_not_know_the_node_stops(tmp_path):
    net = nn.Sequential(nn.Linear(6, 3), LinearDecayLIF(0.1))
    nir.write(tmp_path / "net.nir", neurons.to_nir(net, extension=True))
    known = nir.ir.__dict__["__all_ir"]
    kept = list(known)
    try:
        known.remove("LinearDecayLIF")
        with pytest.raises(AssertionError):
            nir.read(tmp_path / "net.nir")
    finally:
        known.clear()
        known.update(kept) if isinstance(known, set) else known.extend(kept)
    assert nir.read(tmp_path / "net.nir").nodes


@pytest.mark.parametrize("name", NETS)
def test_a_checkpoint_leaves_and_comes_back_as_the_same_integers(name, tmp_path):
    make, shape = NETS[name]
    x = frames(*shape)
    ck = sram.emulate(make(), x, reset="zero").checkpoint
    nir.write(tmp_path / "ck.nir", graphs.to_nir(ck))
    again = sram.emulate(tmp_path / "ck.nir", x, calibrate=False).checkpoint
    for i, (a, b) in enumerate(zip(ck.layers, again.layers)):
        scale = 2.0 ** (again.of(b).f - ck.of(a).f)
        for one, two in zip(ck.bundles(i), again.bundles(i)):
            assert np.array_equal(one.w, two.w)
        assert np.array_equal(np.rint(a.row("theta") * scale), b.row("theta"))
        assert np.array_equal(np.rint(a.row("bias") * scale), b.row("bias"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # nirtorch's own
def test_snntorch_writes_what_we_read(tmp_path):
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(0)
    kept = {"reset_mechanism": "zero", "init_hidden": True}
    first, last = (  # it writes vectors alone
        snn.Leaky(torch.full((n,), 0.9), threshold=torch.full((n,), 0.4), **kept)
        for n in (8, 3)
    )
    net = nn.Sequential(nn.Linear(6, 8), first, nn.Linear(8, 3), last)
    x = frames(6)
    made = export_to_nir(net, torch.tensor(x[0, 0], dtype=torch.float32))
    nir.write(tmp_path / "theirs.nir", made)
    ours = sram.emulate(net, x)
    theirs = sram.emulate(tmp_path / "theirs.nir", x, calibrate=False)
    pairs = list(zip(ours.checkpoint.layers, theirs.checkpoint.layers))
    assert all(np.array_equal(a.w, b.w) and a.theta == b.theta for a, b in pairs)
    assert [a.S.tolist() for a in ours.trace.layers] == [
        b.S.tolist() for b in theirs.trace.layers
    ]


def bad(key, value, kind="LIF"):
    node = neuron(kind, 3)
    setattr(node, key, spread(value, 3))
    return lambda: chain(nir.Linear(weights(3, 6)), node)


def nan_weight():
    w = weights(3, 6)
    w[1, 2] = np.nan
    return chain(nir.Linear(w), neuron("IF", 3))


def two_states():
    three = {k: spread(1e-3, 3) for k in ("tau_syn", "tau_mem", "r", "v_leak")}
    return nir.CubaLIF(**three, v_threshold=spread(1, 3), w_in=spread(1, 3))


def loop_of_wires():
    nodes = {"a": nir.Linear(weights(3, 3)), "b": nir.Linear(weights(3, 3)),
             "out": neuron("IF", 3)}  # fmt: skip
    edges = [("input", "a"), ("a", "b"), ("b", "a"), ("b", "out"), ("out", "output")]
    return graph(nodes, edges, given=(3,))


REFUSED = {
    r"'n1' \(CubaLIF\) has no array form.*second state": lambda: chain(
        nir.Linear(weights(3, 6)), two_states()
    ),
    r"'n0' \(Delay\) has no array form": lambda: chain(
        nir.Delay(spread(1e-3, 6)), nir.Linear(weights(3, 6)), neuron("IF", 3)
    ),
    "v_reset is not 0": bad("v_reset", 0.5),
    "tau of less than a step.*dt": bad("tau", 1e-5),
    "v_threshold is no number.*nan": bad("v_threshold", np.nan),
    r"'n0': weight is no number.*\[1, 2\]": nan_weight,
    "a loop without neurons": loop_of_wires,
    "no neurons in the network": lambda: chain(nir.Linear(weights(3, 6))),
    "an edge to no node": lambda: graph(
        {"a": nir.Linear(weights(3, 6))}, [("input", "b")]
    ),
    "does not fit together": lambda: chain(nir.Linear(weights(3, 7)), neuron("IF", 3)),
    "'n1': r of another shape": lambda: chain(
        nir.Linear(weights(3, 6)), neuron("IF", 4), out=(4,)
    ),
    "a network of one Input": lambda: nir.NIRGraph(
        {"a": neuron("IF", 3)}, [], type_check=False
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_has_no_array_form_is_one_line(told):
    with pytest.raises(Fault, match=told) as caught:
        sram.emulate(REFUSED[told](), frames(6))
    assert "\n" not in str(caught.value)


def test_files_are_data_and_sizes_are_checked_first(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.nir"
    path.write_bytes(b"no graph")
    with pytest.raises(Fault, match="not a NIR graph"):
        nirs.read_file(path)
    with pytest.raises(Fault, match="no such file"):
        nirs.read_file(tmp_path / "none.nir")
    nir.write(path, looped())
    with h5py.File(path, "a") as file:
        file["node/far"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(Fault, match="a link in a NIR file"):
        nirs.read_file(path)
    with h5py.File(tmp_path / "b.nir", "w") as file:
        file.create_dataset("node/w", shape=(2**20, 2**20), dtype="f8", chunks=True)
    with pytest.raises(Fault, match="too large for memory.*found 8388608 MiB"):
        nirs.read_file(tmp_path / "b.nir")


def test_readouts_of_nir_are_membranes_or_sums():
    leak = nir.LI(tau=spread(1e-3, 3), r=spread(10, 3), v_leak=spread(0, 3))
    made = chain(
        nir.Linear(weights(8, 6)), neuron("IF", 8), nir.Linear(weights(3, 8)), leak
    )
    x = frames(6)
    run = sram.emulate(made, x, weight_bits=8, membrane_bits=16)
    assert run.checkpoint.readout == "membrane" and run.report["differences"] == 0
    assert run.report["predictions_agree"] == 1
    bare = chain(nir.Linear(weights(8, 6)), neuron("IF", 8), nir.Linear(weights(3, 8)))
    run = sram.emulate(bare, x, weight_bits=8, membrane_bits=16)
    assert run.checkpoint.readout == "sum" and run.report["differences"] == 0
    sums = floats.run(graphs.read(bare, x).graph, x).scores
    assert (run.trace.scores.argmax(1) == sums.argmax(1)).all()
