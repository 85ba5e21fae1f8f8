"""Chapter 11: recurrent nets, the simulator of many macros, what a step lasts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lindecay import claims, integer, results, sram
from lindecay.pages import scale as page
from lindecay.pages import steps
from lindecay.questions import agree, commands, grown, latency, recurrent, scale
from lindecay.questions.fabric import Builder, Programs
from lindecay.questions.grown import Grown
from lindecay.questions.latency import MESH
from lindecay.questions.simulator import IDEAL, PARTS, Wires, simulate
from lindecay.settings import Fault
from lindecay.studies import protocol
from lindecay.studies.tables import Study

# ------------------------------------------------------------------ recurrent networks


def looped(arm: str, hidden: int = 24):
    """An untrained recurrent network and random clips for it."""
    plan = recurrent.tiny(arm)
    spec = replace(plan.network_spec, hidden=(hidden, hidden), channels=50)
    torch.manual_seed(0)
    net = recurrent.RecurrentMlp(spec)
    clips = agree.few_clips(50, 3, 9, 0.2)
    x = torch.from_numpy(clips.dense()).float()
    net.train()
    net(x)  # running statistics
    return net.eval(), net.export({"T": 9}), clips, x


@pytest.mark.parametrize("arm", ["vlif", "ldlif", "if"])
def test_recurrent_training_forward_is_the_integer_network_and_the_array(arm):
    net, ck, clips, x = looped(arm)
    with torch.no_grad():
        told = [(u.numpy(), s.numpy()) for s, u in net(x)]
    told = [tuple(v.transpose(1, 0, 2).astype(int) for v in pair) for pair in told]
    found = agree.states(ck, clips, told)
    assert found["differences"] == 0 and found["spikes"] > 0
    assert integer.loops(ck) and ck.layers[0].more[0].delay == 1


def test_recurrent_weights_learn_and_matter():
    net, ck, clips, x = looped("ldlif")
    net.train()
    net(x)[-1][0].sum().backward()
    assert float(net.layers[0].again.grad.abs().sum()) > 0
    more = replace(ck.layers[0].more[0], w=ck.layers[0].more[0].w * 0)
    cut = replace(ck, layers=(replace(ck.layers[0], more=(more,)), *ck.layers[1:]))
    a, b = (integer.run(c, clips).layers[0].S for c in (ck, cut))
    assert (a != b).any() and (a[:, 0] == b[:, 0]).all()  # a step late


def test_words_of_the_stand_in_are_spelled_in_its_sounds():
    from lindecay.events.formants import SOUNDS

    assert len(set(commands.WORDS)) == 35
    assert set("".join(commands.WORDS)) <= set(SOUNDS)


def test_a_few_words_are_the_same_clips_each_time(monkeypatch, tmp_path):
    clips = commands.clips("test", 2, 1)
    assert (len(clips), clips.channels, clips.steps) == (4, 700, 35)
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path))
    assert commands.clips("test", 2, 1).sha256 == clips.sha256


# ------------------------------------------------------------------ simulator, emulator


@pytest.mark.parametrize("name", list(agree.cases()))
def test_cycles_equal_the_emulators(name):
    ck, clips, spec = agree.cases()[name]
    told = agree.compare(ck, clips, spec)
    assert told["differences"] == 0 and told["compared"] > 20
    assert told["cycles"] > 1000


@pytest.mark.parametrize("name", list(agree.FAULTS))
def test_planted_fault_is_seen(name):
    ck, clips, spec = agree.cases()["recurrent, 128 x 64"]
    few = clips.subset([0])
    assert agree.compare(ck, few, spec, agree.FAULTS[name])["differences"] > 0


def small():
    return grown.grown(Grown(1200, steps=5, active=0.05))


def test_a_lost_token_is_a_fault():
    made, sent = small()
    lost = np.flatnonzero(sent.tile < 0)[-1]
    tile = sent.tile.copy()
    tile[lost] = 0
    with pytest.raises(Fault, match="a token is missing"):
        simulate(made, replace(sent, tile=tile))


@pytest.mark.parametrize("what", ["to", "tile", "step"])
def test_a_packet_to_nowhere_is_a_fault(what):
    made, sent = small()
    wrong = getattr(sent, what).copy()
    wrong[3] = 10**6
    with pytest.raises(Fault, match="a packet to an unknown"):
        simulate(made, replace(sent, **{what: wrong}))
    with pytest.raises(Fault, match="unknown schedule"):
        simulate(made, sent, "later")


def test_serial_parts_add_up_to_the_clock():
    for wires in (IDEAL, MESH, Wires(2, 3, 1, 1, 50)):
        told = simulate(*small(), "serial", wires)
        assert told.parts.sum() == told.finished[-1, -1]
        assert (told.parts[:, 0].sum() == 0) == (wires == IDEAL)


# ------------------------------------------------------------------ closed forms


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_one_queue_waits_as_md1_says(load):
    """5 %: the standard error of the mean of 60,000 correlated waits is below 2 %."""
    found = latency.mean_wait(latency.poisson(load, 160, 60_000), 160)
    assert found == pytest.approx(latency.md1(load, 160), rel=0.05)


def test_one_queue_follows_lindley():
    rng = np.random.default_rng(1)
    at = np.sort(rng.integers(1, 400, 50))
    free = waited = longest = 0
    for t in at:
        waited, longest = waited + max(free - t, 0), max(longest, free - t)
        free = max(free, t) + 9
    told = latency.one_queue(at, 9)
    assert (told.waited, told.longest) == (waited, longest)
    assert told.finished[-1, -1] == max(free, at[-1])


def test_pipeline_follows_its_recurrence():
    what, found, form = steps.flow_check()
    assert found == form > 0


def test_equal_stages_take_layers_and_steps_minus_one():
    quiet = grown.grown(Grown(1_000, active=0.0, steps=20))
    one = grown.group_programs(Grown(1_000, active=0.0))
    stage = one.update + one.merge
    told = simulate(*quiet, "pipelined", IDEAL)
    assert told.finished[-1, -1] == (4 + 20 - 1) * stage
    assert simulate(*quiet, "serial", IDEAL).finished[-1, -1] == 4 * 20 * stage


def test_serial_step_is_near_its_expectation():
    """2 %: 40 steps of 4 layers; a queue's largest value varies by one in eight."""
    net = Grown(10_000, steps=40)
    told = simulate(*grown.grown(net))
    assert told.period == pytest.approx(latency.serial_step(net), rel=0.02)


def test_fullest_queue_by_brute_force():
    rng = np.random.default_rng(0)
    draws = rng.binomial(60, 0.05, (4000, 8))
    found = latency.slowest_queue([60, 60], 0.05, 4, [3, 3])
    assert found == pytest.approx(3 * draws.max(1).mean(), rel=0.02)


def test_overlap_is_never_slower_and_all_deliver_the_same():
    for active in (0.01, 0.1):
        net = Grown(3_000, steps=10, active=active)
        made, sent = grown.grown(net)
        told = [simulate(made, sent, how, MESH) for how in ("serial", "pipelined")]
        over = simulate(made, sent, "overlapped", MESH)
        assert over.period < told[1].period < told[0].period
        assert over.latency < told[1].latency
        assert {t.delivered for t in (*told, over)} == {len(sent.to)}
        assert {t.hops for t in (*told, over)} == {over.hops}


@pytest.mark.parametrize("how", ["serial", "pipelined", "overlapped"])
def test_a_slow_sensor_sees_every_step_alone(how):
    made, sent = fabric_of(active=0.05, steps=6)
    told = simulate(made, sent, how, MESH, every=5_000)
    assert told.released.tolist() == [5_000 * t for t in range(6)]
    assert told.late < 5_000
    busy = simulate(made, sent, how, MESH)
    assert told.latency <= busy.latency and told.hops == busy.hops


def fabric_of(**how):
    return grown.grown(Grown(2_000, **how))


def test_one_packet_takes_its_way():
    made = Builder(1)
    senses, here = made.sensor(1), made.layer_of(8, Programs(2, 3, 1, 0, (5,), 0))
    zero = np.zeros(1, np.int64)
    made.send(zero, zero, zero + 8, zero)
    made.link(np.repeat(senses, 8), here)
    wires = Wires(encode=2, hop=3, link=1, leave=4)
    told = simulate(made.fabric(), made.traffic(), "serial", wires)
    assert told.hops == 18 + 4  # eight tokens over a 3 x 3 snake, and the spike
    assert told.parts[0].tolist() == [9 * 2 + 4 * 3 + 4, 6, 5, 0]


def test_mesh_is_walked_along_x_then_y():
    what, found, form = steps.hop_check(8)
    assert found == pytest.approx(form, rel=0.02)  # one partition of the nodes


def test_events_are_linear_in_packets_and_hops():
    for n in (1_000, 20_000):
        made, sent = grown.grown(Grown(n))
        told = simulate(made, sent, "pipelined", MESH)
        rest = made.groups * sent.steps  # one end of a step for each group
        assert told.events <= 2 * len(sent.to) + told.hops + rest + made.groups


def test_update_takes_what_the_array_takes():
    net = Grown(1_000)
    plan = grown.one_group(net).plan
    one = grown.group_programs(net)
    assert one.update == sram.closed_forms.update_cycles(plan.B, plan.A)
    assert one.spike[0] == sram.closed_forms.accumulate_cycles(plan.A - plan.f, 4)
    word = grown.group_programs(replace(net, update="word", layout="C"))
    assert word.update == 250
    row = grown.group_programs(replace(net, update="row", unit="group"))
    assert row.update == sram.closed_forms.row_wide_cycles(250, plan.B) + plan.A


def test_more_neurons_leave_the_update_as_it_is():
    told = [
        simulate(*grown.grown(Grown(n, steps=4))).parts.sum(0) for n in (2_000, 50_000)
    ]
    update, spikes = PARTS.index("update"), PARTS.index("accumulate")
    assert told[0][update] == told[1][update]
    assert told[0][spikes] < told[1][spikes]


# ------------------------------------------------------------------ the page


def test_every_study_has_its_own_keys_and_rows_of_its_own():
    asked = scale.STUDIES | latency.STUDIES
    keys = [task.key for make in asked.values() for task in make()]
    assert len(keys) == len(set(keys))
    page.study("scale-sizes")
    assert set(asked) <= set(protocol.QUESTIONS)


def made_up():
    """Three seeds, two sizes: the drop is 1 at 32 neurons and 3 at 128."""
    rows, labels = [], {"shd fold 1": "0" * 100}
    for size, lost in ((32, 1), (128, 3)):
        for seed in range(3):
            for arm, wrong in (("vlif", 10), ("ldlif", 10 + lost)):
                told = {"arm": arm, "seed": seed, "size": size, "data": "shd"}
                told |= {"judged": "fold 1", "accuracy": 100.0 - wrong, "sops": 2.0}
                told |= {"key": f"{size} {seed} {arm}"}
                told["predictions"] = "0" * (100 - wrong) + "1" * wrong
                rows.append(told)
    return Study("scale-sizes", len(rows), rows, labels)


def test_slope_is_points_a_doubling():
    assert page.slope(made_up(), "size", (32, 128))["mean"] == pytest.approx(1.0)


def test_a_single_pair_has_an_interval_of_its_clips():
    told = page.one_pair(made_up().only(size=128, seed=0))
    assert told["mean"] == pytest.approx(3) and told["n"] == 1
    half = 1.96 * 100 * np.sqrt(3 * (1 - 0.03) / 99) / 10  # 3 of 100 clips
    assert told["interval"][1] == pytest.approx(3 + half)


def test_accuracies_follow_from_predictions_and_a_doctored_one_does_not():
    assert page.followed(made_up()).rows
    kept = page.study("scale-sizes")
    assert page.followed(kept).rows
    kept.rows[0]["accuracy"] += 0.5
    with pytest.raises(Fault, match="its predictions do not give"):
        page.followed(kept)


def test_drops_and_their_difference():
    found = {f"n {n}": made_up().only(size=n) for n in (32, 128)}
    table = page.drops(found)
    assert table["drop"].tolist() == [1, 3] and set(table["SOP ratio"]) == {1}
    assert page.pairs_of(table, "n 32", "n 128")["mean"] == pytest.approx(2)


def test_tables_of_steps_hold_together():
    table = pd.DataFrame(
        [t.row() for t in list(latency.STUDIES["latency-shares"]())[:14]]
    )
    shares = steps.shares(table)
    columns = [c for c in shares if c.endswith("%")]
    assert shares[columns].sum(axis=1).to_numpy() == pytest.approx(100)
    fits = steps.deadlines(table).set_index("bin, µs")
    assert (fits.loc[1, "in place"], fits.loc[10, "in place"]) == (0, 1_000)
    assert fits.loc[10, "word by word"] in (100, 1_000)


def test_committed_rows_come_again():
    table = steps.rows("latency-shares")
    assert steps.live(table, most=1_000) == {"compared": 84, "differences": 0}


def test_doctored_row_is_noticed():
    table = steps.rows("latency-shares")
    table.loc[0, "update"] += 1
    assert steps.live(table, most=1_000)["differences"] == 1


HELD = {  # ours: what is read -> (a value that holds, a doctored one)
    "own-size-drop": ("scale.slope_shd", 0.1, 2.0),
    "own-simulator": ("scale.sim_differences", 0, 3),
    "own-update-share": ("scale.update_place_million", 33.0, 71.0),
    "own-row-each": ("scale.row_over_place", 0.4, 1.2),
}


@pytest.mark.parametrize("claim", list(HELD))
def test_doctored_number_turns_its_claim(claim):
    id, right, wrong = HELD[claim]
    verdicts = []
    for value in (right, wrong):
        here = {id: results.Result(id=id, value=value)}
        made = claims.report_on("quick", here, {})
        verdicts += [row.verdict for row in made.ours if row.id == claim]
    assert verdicts[0] in ("trend-only", "holds-in-our-array")
    assert verdicts[1] == "differs"
