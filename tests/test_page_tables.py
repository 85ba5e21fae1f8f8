"""Tables and numbers of the chapters: from small made-up rows, against hand counts."""

from dataclasses import dataclass
from types import SimpleNamespace as One

import numpy as np
import pandas as pd
import pytest
import torch

from lindecay import decay
from lindecay.neurons import LinearDecayLIF
from lindecay.pages import accuracy, array, events, networks, neuron, training
from lindecay.pages import decay as laws
from lindecay.studies import tables

LABELS = {"shd test": "abca"}


def row(arm, seed, accuracy, **more):
    told = {"arm": arm, "seed": seed, "data": "shd", "judged": "test"}
    told |= {"predictions": "abca", "accuracy": accuracy, "sops": 1000.0 * accuracy}
    return told | more


def study(*rows):
    return tables.Study("main", 30, list(rows), LABELS)


def value(told):
    return told["value"] if isinstance(told, dict) else told


# ------------------------------------------------------------------ chapter 01


def test_paths_follow_the_closed_forms():
    table = laws.paths({"exponential": 0.9, "shrink": 0.1}, (1.0, -0.6), 10)
    steps = np.arange(11)
    assert np.allclose(table["exponential +"], 0.9**steps, atol=1e-6)
    assert np.allclose(table["shrink -"], np.minimum(-0.6 + 0.1 * steps, 0), atol=1e-6)


def test_matches_are_best_at_their_own_question():
    lam = {"star": decay.lam_least_squares(0.9), "half": decay.lam_half_life(0.9)}
    lam["rheobase"] = decay.lam_rheobase(0.9)
    table = laws.matches(0.9, lam).set_index("rule")
    assert table["worst step"].idxmin() == "star"
    told = laws.match_numbers(laws.matches(0.9, lam))
    assert value(told["decay.lambda_star"]) == pytest.approx(0.1 / 1.9)
    assert told["decay.horizon_linear"] == 19


def test_gradient_stops_with_the_membrane_and_fades_with_beta():
    assert laws.path_gradient(0.5, 4, lam=0.2) == [1, 1, 1, 0, 0]
    fading = laws.path_gradient(0.5, 3, law="exponential", beta=0.5)
    assert fading == pytest.approx([1, 0.5, 0.25, 0.125])


def test_stalls_start_on_both_sides():
    table = laws.stalls({"halves": lambda v: (v / 2).trunc()}, 4.0, 3)
    assert table["halves"].tolist() == [4, 2, 1, 0]
    assert table["halves, below"].tolist() == [-4, -2, -1, 0]


def test_lazy_steps_of_a_rounded_exponential_differ_somewhere_but_not_everywhere():
    wrong = laws.lazy_wrong(bits=6, most=4)
    assert len(wrong) == 3 and (0 < wrong).all() and (wrong < 1).all()


def test_a_linear_readout_is_below_the_exponential_until_its_queue_fills():
    rng = np.random.default_rng(0)
    both = {"exponential": dict(law="exponential", beta=0.9), "linear": dict(lam=0.05)}
    heard = laws.readout(np.array([0.05, 0.5]), both, 0.2, rng)
    assert heard.linear[0] < heard.exponential[0]
    assert heard.linear[1] > 10 * heard.exponential[1]


def test_a_kick_is_chance_once_the_linear_membrane_forgot_it():
    seen = laws.detection(0.001, dict(lam=0.1), np.random.default_rng(0))
    assert seen[0] == 1 and abs(seen[40] - 0.5) < 0.05


# ------------------------------------------------------------------ chapter 02


def test_trace_of_two_neurons_is_the_one_by_hand():
    current = torch.tensor([[0.4, 0.4, 0.4, 0.4], [-0.5, 0.0, 0.0, 0.0]])
    table = neuron.trace(LinearDecayLIF(0.1), current)
    assert table.loc["a"]["U"].tolist() == pytest.approx([0.4, 0.7, 1.0, 1.3])
    assert table.loc["a"]["S"].tolist() == [0, 0, 0, 1]
    assert table.loc["b"]["U"].tolist() == pytest.approx([-0.5, -0.4, -0.3, -0.2])
    step, membrane = neuron.substeps(table.loc["a"])
    assert len(step) == 16 and (np.diff(step) >= -1e-12).all()
    assert membrane[-4:] == pytest.approx([1.0, 0.9, 1.3, 0.3])


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_leaky_and_ours_agree_where_they_are_compared(reset):
    torch.manual_seed(0)
    compared, wrong, spikes = neuron.against_leaky(torch.randn(20, 3, 5), reset)
    assert (compared, wrong) == (4 * 20 * 3 * 5, 0) and spikes > 0


def test_gradients_agree_with_autograd():
    torch.manual_seed(0)
    assert neuron.gradient_gap("shrink", "subtract", False) < 1e-12


# ------------------------------------------------------------------ chapter 03


def test_sources_of_a_set_are_rows_with_their_bounds():
    head = "shd, recordings"
    table = pd.DataFrame({"slices": [1, 2], head: [50.0, 60.0]})
    table[f"{head}, low"], table[f"{head}, high"] = [40.0, 50.0], [60.0, 70.0]
    rows = events.by_source(table, "shd", "slices", bounds=True)
    assert rows.value.tolist() == [50, 60] and set(rows.source) == {"recordings"}
    assert rows.low.tolist() == [40, 50]


def test_noise_counts_the_corner_alone():
    clip = np.zeros(3, [("x", "i2"), ("y", "i2")])
    clip["x"] = [0, 2, 3]
    assert events.noise([clip], side=3, seconds=1.0) == pytest.approx(2 / 9)


# ------------------------------------------------------------------ chapter 04


@dataclass
class Outcome:
    accuracy: np.ndarray
    sops: np.ndarray
    spikes: np.ndarray


def test_arms_are_told_by_mean_worst_and_best():
    o = Outcome(np.array([80.0, 90.0]), np.array([2000.0, 4000.0]), np.array([1.0, 3]))
    (told,) = training.arms_table({"ldlif": o}).to_dict("records")
    assert told["accuracy %"] == 85 and told["worst seed"] == 80
    assert told["kSOP a clip"] == 3 and told["arm"] == "LD-LIF (linear)"


class Layer(One):
    def row(self, name):
        return np.full(self.n, getattr(self, name))


def test_lambda_is_told_layer_by_layer():
    ck = One(layers=[Layer(lam=11, theta=256, n=3), Layer(lam=5, theta=129, n=2)])
    assert training.lambdas(ck)["neurons"].tolist() == [2, 3]
    told = training.lambda_numbers(ck, "recordings")
    assert value(told["nmnist.lam_hidden"]) == 11
    assert value(told["nmnist.lam_output"]) == 5
    assert value(told["nmnist.lam_int"]) == [5, 11]
    assert value(told["nmnist.lam_zero_share"]) == 0


def test_unequal_states_are_counted_in_both_kinds():
    layer = One(U=np.zeros((2, 3)), S=np.zeros((2, 3)))
    forward = [(np.zeros((2, 3)), np.ones((2, 3)))]
    assert training.unequal(forward, One(layers=[layer])) == (12, 6)


# ------------------------------------------------------------------ chapter 05


def test_every_study_is_listed_with_its_command():
    full = {name: study() for name in accuracy.ASKS}
    told = accuracy.studies(full)
    assert told["command"].tolist() == [f"lindecay sweep {n}" for n in accuracy.ASKS]
    assert set(told["tasks"]) == {"not run"}


def test_one_knob_gives_one_row_a_value():
    found = study(
        row("vlif", 0, 50, h=1), row("vlif", 1, 70, h=1), row("if", 0, 40, h=2)
    )
    table = accuracy.along(found, "h", "steps")
    assert table.to_dict("records")[0] == {
        "arm": "vlif",
        "steps": 1,
        "accuracy": 60,
        "low": 50,
        "high": 70,
    }
    level = accuracy.held_level(table, "if", "steps")
    assert level[level.arm == "if"].steps.tolist() == [1, 1]


def test_drops_carry_their_stamp_and_the_answers():
    rows = [row(arm, s, 50.0) for arm in ("vlif", "ldlif") for s in (0, 1)]
    main = study(*rows)
    drops = {"ldlif": tables.drop(main, "ldlif")}
    told = accuracy.shd_numbers(main, drops, printed=1.11)
    assert told["protocol.shd.drop"]["n"] == 2
    assert told["protocol.shd.drop"]["seeds"] == [0, 1]
    assert told["protocol.shd.compatible"] == "no", "both are right on every clip"
    assert value(told["protocol.shd.sop_ratio"]) == 1


def test_variants_that_did_not_run_say_so():
    main = study(row("vlif", 0, 50.0), row("vlif", 1, 60.0))
    table = accuracy.further(main, study(row("shift", 0, 40.0)))
    told = table.set_index("neuron")["accuracy %"]
    assert told["shift-exponential"] == 40 and told["v-LIF, β fixed"] == "not run"


def test_neurons_that_hardly_decay_are_counted_in_the_first_bin():
    ld = row("ldlif", 0, 50, lam_over_theta=[0.0, 0.5])
    main = study(ld, row("vlif", 0, 50, beta_q=[255, 128]))
    table = accuracy.learned_decays(main, np.array([1e-3, 1e-2, 1.0]))
    assert table["ldlif"].tolist() == [0.5, 0.5]
    assert table["vlif"].tolist() == [0.5, 0.5]


def test_confusion_is_told_by_its_worst_pair():
    shares = {"vlif": np.array([[0.9, 0.1], [0.0, 1.0]])}
    assert accuracy.confusion_table(shares)["vlif"].tolist() == [0.9, 0.1, 0.0, 1.0]
    told = accuracy.confusion_numbers(shares)["protocol.shd.worst_pair"]
    assert value(told) == [pytest.approx(10)]


def test_folds_are_paired_by_seed_and_fold():
    rows = [row("vlif", 0, 60.0 + f, fold=f) for f in range(3)]
    rows += [row("ldlif", 0, 59.0 + f, fold=f) for f in (1, 2)]
    told = accuracy.cross_validated(study(*rows), "ldlif")
    assert told["mean"] == 1 and told["n"] == 2


# ------------------------------------------------------------------ chapter 06, 07


def test_parts_of_a_step_add_up_to_the_ledger():
    programs = [p for group in array.PARTS.values() for p in group]
    counts = {("fc1", p): {"cycles": 2, "macro_cycles": 5} for p in programs}
    table = array.parts_of_step(counts, ["fc1"], steps=2, field="macro_cycles")
    assert table.loc[0, list(array.PARTS)].sum() == 5 * len(programs) / 2
    assert table["counted"].tolist() == ["macro-cycles"]


@dataclass
class Clips:
    source: str

    def __len__(self):
        return 7


def test_mutant_is_caught_only_if_every_layer_sees_it():
    told = array.mutants_numbers({"a": [1, 2], "b": [0, 3]}, Clips("x"))
    assert value(told["array.mutants_caught"]) == 1


def test_growth_that_leaves_the_closed_form_is_refused():
    plan = One(B=10, A=13, outputs=512)
    form = 3 * 10 + 2 * 13 + 2
    table = pd.DataFrame({"neurons": [16], "update": [form], "cycles per spike": [5]})
    for column in ("update, one macro", "word by word", "row by row"):
        table[column] = form
    told = array.growth_numbers(table, plan, 256)
    assert told["array.update_closed_form"] == form
    with pytest.raises(AssertionError):
        array.growth_numbers(table.assign(update=form + 1), plan, 256)


def test_level_share_is_one_number_and_a_slope_is_two():
    rows = [("A", 16, 0.5), ("A", 512, 0.505), ("C in place", 16, 0.9)]
    rows += [("C in place", 512, 0.9), ("C word by word", 16, 0.5)]
    rows += [("C word by word", 512, 0.98)]
    table = pd.DataFrame(rows, columns=["design", "neurons", "share"])
    told = networks.share_numbers(table)
    assert value(told["networks.share_a"]) == 50
    assert value(told["networks.share_c_word"]) == [50, 98]
    assert told["networks.share_largest"] == 512


def test_step_in_cycles_is_the_share_of_the_step():
    flow = pd.DataFrame({"network": ["N"], "layer": ["fc1"], "cycles a step": [100.0]})
    for part, share in zip(networks.PARTS, (0.5, 0.3, 0.2)):
        flow[part] = share
    table = networks.in_cycles(flow.assign(**{"slowest step": 130}))
    assert table.loc[0, list(networks.PARTS)].tolist() == [50, 30, 20]
    assert table["layer"].tolist() == ["N fc1"]


def test_equal_area_ends_where_one_unit_alone_grows():
    plan = One(B=10, A=13)
    table = networks.at_equal_area([256, 4096], plan)
    assert table["in the array"].nunique() == 1
    assert table["word, one unit in all"].iloc[1] > table["word"].iloc[1]
