"""Where snnTorch itself errs: each habit as one line that runs, and the right value.

Seen with snnTorch 1.0.0. Ours is right in each of these, or refuses; when snnTorch
mends one, `found` becomes `right`, and the tests say so.
"""

import io
import pickle
from contextlib import redirect_stdout
from dataclasses import dataclass

import snntorch as snn
import torch
from snntorch import surrogate, utils
from torch import nn


@dataclass(frozen=True)
class Habit:
    """What is wrong, an example, what snnTorch 1.0.0 makes of it, and what is right."""

    what: str
    example: str
    does: str
    right: str

    @property
    def found(self) -> str:
        """What the example gives now; layers that it made are not listed for ever."""
        kept = list(snn.SpikingNeuron.instances)
        try:
            return str(eval(self.example, dict(EXAMPLES)))  # noqa: S307 (our own lines)
        except Exception as error:
            return type(error).__name__
        finally:
            snn.SpikingNeuron.instances = kept


def spikes(layer, *inputs) -> int:
    """Spikes of one neuron that is given these currents one after the other."""
    total, layer = 0, layer.eval()
    layer.mem = torch.zeros(0)
    for x in inputs:
        total += int(layer(torch.full((1, 1), float(x)))[0].sum())
    return total


def loaded(layer, other):
    """`layer` with the state dict of `other`."""
    layer.load_state_dict(other.state_dict())
    return layer


def changed(layer, **settings):
    """`layer` with settings changed after it was made."""
    for name, value in settings.items():
        setattr(layer, name, value)
    return layer


def imported(threshold: float):
    """snnTorch's own import of a NIR graph of one IF neuron."""
    import nir
    import numpy as np
    from snntorch.import_nir import import_from_nir

    one = np.ones(1)
    shape = {"input": np.array([1])}, {"output": np.array([1])}
    nodes = {"input": nir.Input(shape[0]), "if": nir.IF(one, threshold * one),
             "output": nir.Output(shape[1])}  # fmt: skip
    graph = nir.NIRGraph(nodes, [("input", "if"), ("if", "output")])
    with redirect_stdout(io.StringIO()):
        net = import_from_nir(graph)
    return next(m for m in net.modules() if isinstance(m, snn.Leaky))


def slope(grad, x: float) -> float:
    """The gradient that a surrogate passes at x."""
    at = torch.tensor(x, requires_grad=True)
    grad(at).backward()
    return at.grad.item()


def kept(net) -> float:
    """The membrane of a nested layer after snnTorch's own reset."""
    net(torch.full((1, 1), 0.5))
    utils.reset(net)
    return next(m for m in net.modules() if isinstance(m, snn.Leaky)).mem.sum().item()


def nested():
    """A network whose neuron lies one level deeper than `utils.reset` looks."""
    return nn.Sequential(nn.Sequential(snn.Leaky(0.9, init_hidden=True)))


def double():
    """The dtype of spikes of a network that was made double."""
    layer = snn.Leaky(0.9).double()
    return layer(torch.ones(1, 1, dtype=torch.float64))[0].dtype


def recurrent(**how):
    """One neuron with a recurrent weight of 0."""
    return snn.RLeaky(0.5, V=0.0, all_to_all=False, reset_mechanism="zero", **how)


EXAMPLES = {
    "Leaky": snn.Leaky, "pickle": pickle, "surrogate": surrogate, "torch": torch,
    "spikes": spikes, "loaded": loaded, "changed": changed, "imported": imported,
    "slope": slope, "kept": kept, "nested": nested, "double": double,
    "recurrent": recurrent,
}  # fmt: skip

HABITS = (
    Habit("an integrate-and-fire neuron imported from NIR leaks",
          "round(imported(1.0).beta.item(), 3)", "0.9", "1.0"),
    Habit("reset at once: silent while the membrane stays above θ",
          "spikes(Leaky(1.0, reset_delay=False), 3.5, 0, 0, 0)", "2", "3"),
    Habit("a layer cannot be pickled: surrogates are closures",
          "len(pickle.dumps(Leaky(0.9))) > 0", "AttributeError", "True"),
    Habit("a reset that was loaded is not used",
          "spikes(loaded(Leaky(1.0), Leaky(1.0, reset_mechanism='zero')), 2.5, 0)",
          "2", "1"),
    Habit("a reset that is set later is not used",
          "spikes(changed(Leaky(1.0), reset_mechanism='zero'), 2.5, 0)", "2", "1"),
    Habit("a threshold given as 1 cannot be learned",
          "Leaky(0.9, threshold=1, learn_threshold=True).threshold.item()",
          "RuntimeError", "1.0"),
    Habit("a recurrent reset to zero drops the next step's input",
          "spikes(recurrent(), 1.5, 1.5, 1.5, 1.5)", "2", "4"),
    Habit("the sigmoid's slope is no number far below θ",
          "slope(surrogate.sigmoid(25), -10.0)", "nan", "0.0"),
    Habit("the spikes of a network in float64 are float32",
          "double()", "torch.float32", "torch.float64"),
    Habit("a layer deeper than one level is not reset", "kept(nested())", "0.5", "0.0"),
    Habit("a membrane of another shape is dropped without a word",
          "Leaky(0.9)(torch.zeros(1, 2), torch.ones(1, 3))[1].shape[1]",
          "2", "ValueError"),
    Habit("surrogate.LSO cannot be used", "slope(surrogate.LSO(), 1.0)",
          "TypeError", "1.0"),
)  # fmt: skip


def habits() -> list[dict]:
    """The table: what, example, what snnTorch does here and now, and what is right."""
    return [
        {"what": h.what, "example": h.example, "snnTorch": h.found, "right": h.right}
        for h in HABITS
    ]
