"""Tasks that tell decays apart, and remedies: one law from training to joules."""

import numpy as np
import pytest
import torch

import lindecay.energy as energy
from lindecay import integer, kernels, rtl, sram
from lindecay.claims import asked
from lindecay.claims.registry import own
from lindecay.claims.report import report_on
from lindecay.claims.rules import RULES
from lindecay.kernels import plain
from lindecay.networks import Mlp, MlpSpec
from lindecay.pages import limits as page
from lindecay.quantization import Checkpoint, Grid
from lindecay.questions import gaps, gatewise, leaks, limits, remedies, tasks_made
from lindecay.results import Result
from lindecay.settings import Fault
from lindecay.sram.serial.array import Array
from lindecay.training import training_forward
from test_integer import clips_of

NAMES = tuple(remedies.LAWS)


@pytest.fixture
def laws():
    with remedies.known() as found:
        yield found


def trained(law: str, steps: int = 24):
    """A small network after some steps of an optimiser, and clips for it."""
    torch.manual_seed(1)
    net = Mlp(MlpSpec("mine", (40, 30, 5), law, 0.9, Grid(4, 10, 1)))
    rng = np.random.default_rng(0)
    dense = (rng.random((5, steps, 40)) < 0.3).astype(np.uint8)
    x = torch.from_numpy(dense).float().swapaxes(0, 1)
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(3):
        adam.zero_grad()
        net(x)[-1][0].sum().neg().backward()
        assert net.layers[0].decay.grad != 0
        adam.step()
    return net, clips_of(dense)


@pytest.mark.parametrize("name", NAMES)
def test_a_remedy_is_the_same_in_training_integers_and_array(laws, name):
    net, clips = trained(name)
    ck = net.export({"T": 24})
    trace = integer.run(ck, clips)
    for (U, S), layer in zip(training_forward(net, clips), trace.layers):
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S) and S.any()
    run = sram.emulate(ck, clips)
    for mine, theirs in zip(run.trace.layers, trace.layers):
        assert np.array_equal(mine.U, theirs.U) and np.array_equal(mine.V, theirs.V)
        assert (mine.clears, mine.clamps) == (theirs.clears, theirs.clamps)
    assert energy.bill(run).of("decay") > 0


@pytest.mark.parametrize("name", [*NAMES, "rows"])
def test_the_adjoint_that_is_written_out_is_autograd_s(laws, name, monkeypatch):
    """Gradients of the current, of λ and of the first state, step by step and not."""
    torch.manual_seed(0)
    law = "above" if name == "rows" else name
    rule = kernels.Rule(law, clamp=(-60, 60), slope=2.0, scale=20.0)
    many = torch.randint(1, 9, (5,)).float() if name == "rows" else torch.tensor(7.0)
    found = []
    for quick in (True, False):
        monkeypatch.setattr(plain, "written_out", lambda *_, q=quick: q)
        given = torch.Generator().manual_seed(1)
        current = torch.randint(-30, 40, (25, 4, 5), generator=given).float()
        state = torch.randint(-20, 20, (4, 5), generator=given).float()
        inputs = [x.clone().requires_grad_() for x in (current, many, state)]
        S, U = plain.loop(
            inputs[0], inputs[1], None, torch.tensor(20.0), inputs[2], rule
        )
        weights = torch.linspace(-1, 1, U.numel()).reshape(U.shape)
        (S * weights + 0.01 * U * weights).sum().backward()
        found.append([S.detach(), U.detach(), *(x.grad for x in inputs)])
    for mine, theirs in zip(*found):
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-5) and theirs.any()


@pytest.mark.parametrize("name", NAMES)
def test_single_bits_of_the_array_follow_a_remedy(laws, name):
    net, clips = trained(name, steps=10)
    one = clips.subset([0])
    ck = net.export({"T": 10})
    states, ledger = sram.bitwise.emulate(ck, one)
    for mine, theirs in zip(states, integer.run(ck, one).layers):
        assert np.array_equal(mine.U, theirs.U)
    _, _, *wrong = sram.bitwise.differences(states, ledger, sram.emulate(ck, one))
    assert wrong == [0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_no_remedy_crosses_rest_or_leaves_its_bits(laws, name):
    """All membranes of eight bits, all λ, against the words of the law."""
    law, v = laws[name], np.arange(-128, 128)
    for lam in range(0, 100, 3):
        for step in range(8):
            row = np.full(v.shape, lam)
            here = law.timed(row, step)[0]
            out = law.whole(v, here)
            assert (out * v >= 0).all() and (np.abs(out) <= np.abs(v)).all()
            t = torch.from_numpy(v).float(), torch.from_numpy(here).float()
            assert np.array_equal(law.step(*t).numpy(), out)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("name", ["slopes", "above"])
def test_microcode_of_a_remedy_on_every_membrane(laws, name, rows):
    law, B = laws[name], 8
    v = np.arange(-128, 128)
    for lam in (0, 1, 3, 7, 8, 32):
        here = law.timed(np.full(v.shape, lam), 0)[0]
        array = Array(rows=32, columns=v.size)
        array.bases |= {"V": 0, "L": 12}
        array.poke("V", v, B)
        array.poke("L", here, B - 1)
        array.registers["lam"] = int(here[0])
        array.run(law.program(B, rows))
        assert np.array_equal(array.peek("V", B), law.whole(v, here))


def test_a_clock_leaves_the_decay_out(laws):
    net, clips = trained("every")
    ck = net.export({"T": 24})
    every = sram.emulate(ck, clips).ledger["fc1", "decay"]
    plain = sram.emulate(Checkpoint(ck.meta | {"law": "shrink"}, ck.layers), clips)
    assert 4 * every.cycles == plain.ledger["fc1", "decay"].cycles


def test_random_bits_are_those_of_the_register():
    """Sixteen taps written out, bit by bit; every value occurs as often as others."""
    bits = [int(b) for b in f"{remedies.SEED:016b}"[::-1]]
    for t in range(40):
        assert remedies.drawn(4, t) == sum(b << k for k, b in enumerate(bits[:4]))
        for _ in range(4):
            bits = bits[1:] + [bits[0] ^ bits[2] ^ bits[3] ^ bits[5]]
    many = np.bincount([remedies.drawn(4, t) for t in range(1600)], minlength=16)
    assert many.min() > 60 and many.max() < 140


def test_the_mean_of_a_dithered_decay_is_its_fraction(laws):
    told = [laws["dither"].timed(np.array([5]), t)[0][0] for t in range(1600)]
    assert set(told) == {0, 1} and abs(np.mean(told) - 5 / 16) < 0.03


def test_a_law_that_changes_lambda_refuses_one_for_each_neuron(laws):
    net, clips = trained("dither")
    ck = net.export({"T": 24})
    rows = [np.arange(layer.out) % 20 for layer in ck.layers]
    layers = [vars(la) | {"lam": r.astype(np.int32)} for la, r in zip(ck.layers, rows)]
    made = Checkpoint(ck.meta, tuple(type(ck.layers[0])(**la) for la in layers))
    with pytest.raises(Fault, match="one λ a layer"):
        sram.emulate(made, clips)


def test_where_nothing_turns_lambda_a_timed_law_is_refused(laws):
    net, clips = trained("every")
    ck = net.export({"T": 24})
    with pytest.raises(Fault, match="changes λ from step to step.*in place"):
        sram.emulate(ck, clips, sram.MacroSpec(layout="C"))
    with pytest.raises(Fault, match="changes λ from step to step.*Verilog"):
        rtl.project.network(ck, clips)


# ---- tasks


@pytest.mark.parametrize("name", ["match", "order", "adding", "rate"])
def test_tasks_are_made_from_their_seed_and_are_balanced(name):
    one, again, other = (tasks_made.make(name, 8, 300, s) for s in (3, 3, 4))
    assert one.clips.sha256 == again.clips.sha256 != other.clips.sha256
    shares = np.bincount(one.clips.labels, minlength=one.classes) / 300
    assert abs(shares - 1 / one.classes).max() < 0.1
    assert 0 < one.window < one.clips.steps


def cues(dense, start):
    """Which group of lines spiked most in a cue's four steps, [clips]."""
    seen = dense[start : start + tasks_made.CUE].sum(0)
    return seen[:, :16].reshape(len(seen), 2, 8).sum(2).argmax(1)


def test_labels_of_a_match_follow_the_last_two_cues():
    made = tasks_made.make("match", 12, 200, 0)
    dense = made.clips.dense()
    first = cues(dense, made.window - 12 - tasks_made.CUE)
    same = first == cues(dense, made.window)
    assert (same == made.clips.labels).mean() > 0.97
    old = cues(dense, 0)
    assert 0.4 < (old == first).mean() < 0.6  # the old cue says nothing


def test_labels_of_an_order_and_of_a_sum_follow_what_came():
    made = tasks_made.make("order", 5, 200, 0)
    dense = made.clips.dense()
    told = 2 * cues(dense, made.window - 5 - tasks_made.CUE) + cues(dense, made.window)
    assert (told == made.clips.labels).mean() > 0.97
    made = tasks_made.make("adding", 5, 200, 0)
    dense = made.clips.dense()
    sizes = dense[:3, :, :8].min(0).sum(1) + dense[9:12, :, 8:].min(0).sum(1)
    assert ((sizes > 8) == made.clips.labels).all()


def test_a_task_that_is_not_there_is_one_line():
    with pytest.raises(Fault, match="unknown task.*'parity'"):
        tasks_made.make("parity", 1, 2, 0)


@pytest.mark.parametrize("arm", ["vlif", "ldlif", "shift", "if", "neuron", "dither"])
def test_a_trained_arm_of_the_study_is_its_integers(laws, arm):
    made = tasks_made.make("rate", 100, 100, 0)
    net = limits.trained(arm, made, 4.0, 0, epochs=1)
    trace = integer.run(limits.exported(net, made), made.clips)
    for (U, S), layer in zip(training_forward(net, made.clips), trace.layers):
        assert np.array_equal(U, layer.U) and np.array_equal(S, layer.S)


def test_below_the_critical_rate_no_mean_drive_passes_lambda():
    made = tasks_made.make("rate", 100, 100, 0)
    ck = limits.exported(limits.trained("ldlif", made, 4.0, 0, epochs=1), made)
    rate, layer = limits.critical_rate(ck) / 1000, ck.layers[0]
    drives = [rate * 2 * sum(max(int(x), 0) for x in row[:8]) for row in layer.w]
    assert max(drives) == pytest.approx(layer.row("lam")[0])


def test_open_decays_learn_in_every_arm(laws):
    made = tasks_made.make("rate", 100, 100, 0)
    for arm in (*limits.MAIN[1:], *limits.CURES):
        before = limits.network(arm, 4.0, (16, limits.HIDDEN, 2)).layers[0].raw
        after = limits.trained(arm, made, 4.0, 0, epochs=1).layers[0].raw
        assert (after != before).all(), arm


# ---- one neuron


def test_lifetimes_of_a_linear_neuron_are_the_closed_form():
    for lam in (1, 3, 7):
        for v in range(-200, 200, 13):
            assert leaks.lifetime("linear", v, lam) == -(-abs(v) // lam)


def test_an_exponential_of_whole_numbers_lives_no_longer_than_its_formula():
    table = leaks.lifetimes(range(8, 500, 7), 5, 240)
    other = table[table.law != "linear"]
    assert (other.steps - other.cut).abs().max() < 4
    assert (other.steps <= other.theory + 1).all() and (other.steps > 0).all()


def test_what_a_drive_gathers_is_the_closed_form():
    table = leaks.drives(10, 240)
    assert (table.linear == table["linear, theory"]).all()
    short = table["exponential, theory"] - table.exponential
    assert (short >= 0).all() and (short <= 1 / (1 - 240 / 256)).all()  # a LSB a step


def test_a_trace_is_drawn_without_error_by_its_own_law():
    x = leaks.trains(0.1, 0)
    y = leaks.response(x, 20.0)
    assert leaks.errors(y, (1000 * y)[:, None])[0] < 1e-6
    off = leaks.errors(y, np.stack([y, 0 * y], 1))
    assert off[0] < 1e-6 and off[1] == 1.0  # silence misses all of it


def test_a_bill_counts_the_cycles_of_the_programs():
    bill = leaks.bills(8).set_index("leak")
    assert bill.cycles["LD-LIF (linear)"] == 2 * 10 + 1
    assert bill.cycles["floor above rest"] == 1 + (10 - 1 - remedies.KNEE) + 10
    assert bill.cycles["every 4th step"] == 21 / 4
    assert bill.decay_pj["IF (no decay)"] == 0
    assert (bill.update_pj > bill.decay_pj).all()


@pytest.mark.skipif(not gatewise.gates.available(), reason="no Yosys")
@pytest.mark.parametrize("name", ["slopes", "above"])
def test_gates_of_a_remedy_are_its_law_on_every_membrane(laws, name):
    B, law = 8, laws[name]
    net = gatewise.netlist(gatewise.NEW[name], B)
    v = np.tile(np.arange(-128, 128), 5)
    lam = np.repeat([0, 1, 2, 3, 4], 256)
    out, _ = gatewise.gates.simulate(net, {"v": v, "lam": lam})
    assert np.array_equal(out["y"], law.whole(v, lam))


# ---- the page


def made_row(arm, accuracy, task="rate", knob=30, held=False):
    row = {"task": task, "knob": knob, "arm": arm, "held": held, "horizon": 4.0}
    row |= {"accuracy": accuracy, "lam": [[2.0, 1.0]], "theta": [[52, 35]]}
    return row | {"peak": [301.0], "beta": [[240.0, 240.0]]}


def test_a_gap_is_paired_by_seed():
    rows = [made_row("vlif", [90.0, 92.0, 94.0]), made_row("ldlif", [80.0, 81.0, 85.0])]
    told = gaps.gap(rows, "rate", 30, "vlif", "ldlif")
    assert told["mean"] == pytest.approx(10.0) and told["n"] == 3
    each = np.array([10.0, 11.0, 9.0])
    reach = 4.302653 * each.std(ddof=1) / np.sqrt(3)  # Student, two degrees
    assert told["interval"][1] - 10 == pytest.approx(reach, rel=1e-5)


def test_lives_are_theta_and_peak_over_lambda_and_what_a_product_leaves():
    rows = [
        made_row(a, [70.0, 71.0], "match", 16, held=True) for a in ("ldlif", "vlif")
    ]
    told = page.lives(rows, delay=2)
    assert (told["life_theta"], told["life_peak"]) == (26, 151)
    assert told["left"] == pytest.approx(301 * (240 / 256) ** 2)


def test_arms_stand_side_by_side():
    rows = [made_row("vlif", [90.0, 92.0]), made_row("ldlif", [80.0, 80.0])]
    table = page.accuracies(page.points(rows))
    assert list(table.columns) == ["task", "v-LIF", "LD-LIF"]
    assert table["LD-LIF"][0] == "80.0 (80 to 80)"


@pytest.mark.parametrize("id", ["own-limits-rate", "own-limits-above"])
def test_a_doctored_number_turns_its_claim(id):
    claim = own()[id]
    bound, side = claim.args["bound"], claim.args["side"]
    good, bad = (bound + 3, bound - 3) if side == "above" else (bound - 3, bound + 3)
    verdicts, id = [], claim.reads[0]
    for value in (good, bad):
        read = {id: Result(id=id, value=value, interval=(value - 1, value + 1))}
        verdicts.append(RULES["bounded"](claim, read, "quick").verdict)
    assert verdicts == ["trend-only", "differs"]


def test_a_number_that_its_rows_do_not_give_turns_the_check_red(monkeypatch):
    monkeypatch.setattr(gaps, "follows", lambda: {"limits.rate_gap": 7.5})
    made = {
        x: {"limits.rate_gap": Result(id="limits.rate_gap", value=x)} for x in (7, 7.5)
    }
    assert not list(asked.contradictions(made[7.5]))
    [(id, why)] = asked.contradictions(made[7])
    assert id == "limits.rate_gap" and "its rows give 7.5" in why
    told = report_on("quick", made[7], {}).problems
    assert any(p.kind == "inconsistent" and p.id == id for p in told)


def test_studies_are_known_and_their_rows_have_keys_of_their_own():
    for room in (limits, gatewise):
        for name, made in room.STUDIES.items():
            keys = [task.key for task in made()]
            assert len(keys) == len(set(keys)) and made.__doc__, name
