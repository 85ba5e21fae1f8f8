"""Proofs count what they compare, in batches too, and see what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from lindecay import prove, subjects
from lindecay.networks import Cnn, CnnSpec, Conv
from lindecay.settings import Fault, profile
from lindecay.training import gestures
from test_integer import clips_of

PLANE = (2, 12, 12)


class TinyPlan(gestures.Plan):
    """Two small convolutions on made-up clips, one epoch."""

    def spec(self, clips=None) -> CnnSpec:
        convs = (Conv(4, 3, stride=2), Conv(6, 2, pool=2))
        return CnnSpec("shrink", plane=PLANE, convs=convs, pool=1)

    def clips(self):
        rng = np.random.default_rng(0)
        dense = (rng.random((11, 12, 288)) < 0.5).astype(np.uint8)
        return replace(clips_of(dense), labels=np.arange(11))

    def network(self, clips):
        net = Cnn(self.spec())
        for layer in net.layers:  # so that every layer fires
            layer.weight.data += 0.4 * layer.weight.data.abs().mean()
        return net

    @property
    def rate(self) -> float:
        return 1e-4


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_STORE", str(tmp_path))
    plan = TinyPlan("ldlif", 0, replace(profile("quick"), epochs=1, batch=11))
    small = subjects.Subject("CNN", lambda *told: plan, lambda _: plan.clips())
    monkeypatch.setitem(subjects.SUBJECTS, "dvsgesture", small)


def test_a_convolutional_network_is_proved_in_batches(tiny, monkeypatch):
    whole = prove.prove("dvsgesture")
    assert whole["differences"] == whole["conservation_laws_broken"] == 0
    neurons = sum(layer["neurons"] for layer in whole["layers"])
    assert whole["parties"][-1] == "oracle"
    assert whole["bit_tier"]["states_compared"] == neurons * 12 * 3
    assert whole["bit_tier"]["counters_compared"] > 100
    assert whole["spikes_compared"] == neurons * 12 * 11 * 3
    assert all(layer[k] for layer in whole["layers"] for k in ("spikes", "clears"))
    monkeypatch.setattr(prove, "AT_ONCE", neurons * 12 * 4)
    parts = prove.prove("dvsgesture")
    assert parts["counters_compared"] == 3 * whole["counters_compared"]
    parts["counters_compared"] = whole["counters_compared"]
    cycles = [row.pop("cycles") for row in parts["array"]]
    assert cycles == [row.pop("cycles") for row in whole["array"]]
    assert parts == whole


def test_a_wrong_party_is_counted(tiny, monkeypatch):
    honest = prove.trained_states

    def wrong(net, ck, clips):
        states = honest(net, ck, clips)
        states[1][0][2, 3, 5] += 1
        return states

    monkeypatch.setattr(prove, "trained_states", wrong)
    found = prove.prove("dvsgesture")
    assert found["differences"] == 1
    assert found["differences_by_party"]["training forward"] == 1


def test_a_set_without_a_network_is_one_line():
    with pytest.raises(Fault, match="no such network: expected nmnist or shd or dvs"):
        prove.prove("cifar")
