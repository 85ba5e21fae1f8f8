"""LinearDecayLIF: a spiking neuron for snnTorch whose leak is linear (or any other).

    D = sign(V)·max(|V| − λ, 0);  U = D + I;  S = [U > θ];  V = U − θ·S

With law="exponential" and reset_delay=True it is `snn.Leaky`, spike by spike.
"""

import copy
import weakref

import snntorch as snn
import torch
from torch import Tensor, nn

from lindecay import decay, kernels
from lindecay.kernels import plain
from lindecay.settings import Fault

NAMED = {  # snnTorch's surrogate -> ours, and the value that makes its step
    "fast_sigmoid": "fast_sigmoid",
    "atan": "atan",
    "sigmoid": "sigmoid",
    "straight_through_estimator": "straight",
}


def named(spike_grad) -> tuple[str, float] | None:
    """(surrogate, slope) of one of snnTorch's surrogates; None for any other.

    >>> named(snn.surrogate.fast_sigmoid(slope=10))
    ('fast_sigmoid', 10.0)
    """
    maker = getattr(spike_grad, "__qualname__", "").removesuffix(".<locals>.inner")
    ours = getattr(spike_grad, "__module__", "") == "snntorch.surrogate"
    if not ours or maker not in NAMED:
        return None
    cells = spike_grad.__closure__ or ()
    return NAMED[maker], float(cells[0].cell_contents) if cells else 1.0


class Within(torch.autograd.Function):
    """Clamp to [0, high]; outside, only gradients that lead back in pass."""

    @staticmethod
    def forward(ctx, x, high):
        ctx.save_for_backward(x, high)
        return torch.minimum(x.clamp(min=0), high)

    @staticmethod
    def backward(ctx, g):
        x, high = ctx.saved_tensors
        out = ((x <= 0) & (g > 0)) | ((x >= high) & (g < 0))
        return torch.where(out, 0.0, g), None


class NoBeta:
    """Stands where `snn.Leaky` keeps β, so that no exporter invents one."""

    def _none(self, *_):
        raise Fault(
            "a linear leak has no β",
            expected="law='exponential' or law='none'",
            do="NIR's LIF and CubaLIF leak exponentially; it has no linear leak",
        )

    detach = clamp = numpy = item = _none


class LinearDecayLIF(snn.Leaky):
    """Leaky integrate-and-fire with linear decay.

    lam: λ per step, in units of the membrane: number or tensor that broadcasts
        against [batch, …, neurons]; kept in [0, θ). beta: for law="exponential".
    law: shrink | floor | floor_after | drift | exponential | shift | none.
    shift, rounding, clamp: whole-number laws and the membrane's range (kernels.Rule).
    learn_lam, learn_beta, learn_threshold: which of them are parameters.
    reset_delay: False resets at once; True is snnTorch's habit, one step later.
    detach_reset: no gradient through the spike that resets (snnTorch's habit).
    whole_sequence: `forward` takes [time, batch, …] and runs it in one go.
    inplace, recompute: ways to spend less memory on it (see kernels.sequence).
    Everything else as in `snn.Leaky`: returns spikes and membrane, or spikes alone
    with init_hidden=True (unless output=True).

    >>> lif = LinearDecayLIF(0.1, init_hidden=True)
    >>> [lif(torch.full((1, 1), 0.6)).item() for _ in range(4)]
    [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(
        self,
        lam=0.0,
        threshold=1.0,
        spike_grad=None,
        *,
        law="shrink",
        beta=1.0,
        shift=None,
        rounding="nearest",
        clamp=None,
        learn_lam=False,
        reset_delay=False,
        detach_reset=True,
        whole_sequence=False,
        inplace=False,
        recompute=False,
        **leaky,
    ):
        self.law = decay.law(law)
        super().__init__(beta, threshold, spike_grad, reset_delay=reset_delay, **leaky)
        lam = torch.as_tensor(lam, dtype=self.threshold.dtype)
        if learn_lam:
            self.lam = nn.Parameter(lam.clone())
        else:
            self.register_buffer("lam", lam.clone())
        known = named(self.spike_grad)
        self.named = known is not None
        surrogate, slope = known or ("straight", 1.0)
        self.rule = kernels.Rule(
            law=law,
            reset=self.reset_mechanism,
            detach_reset=detach_reset,
            delayed=reset_delay,
            clamp=clamp,
            surrogate=surrogate,
            slope=slope,
            shift=shift,
            rounding=rounding,
        )
        self.whole_sequence = whole_sequence
        self.memory = {"inplace": inplace, "recompute": recompute}
        self.graded = bool((self.graded_spikes_factor != 1).any()) or isinstance(
            self.graded_spikes_factor, nn.Parameter
        )
        beta = self.beta if law == "exponential" else torch.ones(())
        kernels.check_parameters(lam, beta, self.threshold, self.rule)
        _hold_weakly(self)

    def _beta_buffer(self, beta, learn_beta):
        if self.law.name == "exponential":
            beta = torch.as_tensor(beta, dtype=torch.get_default_dtype())
            super()._beta_buffer(beta, learn_beta)
        else:
            self.beta = NoBeta()

    def _lam_now(self) -> Tensor:
        if not isinstance(self.lam, nn.Parameter):
            return self.lam  # checked when the layer was made
        top = self.threshold.detach() * (1 - torch.finfo(self.lam.dtype).eps)
        return Within.apply(self.lam, top)

    def _beta_now(self, like) -> Tensor:
        if self.law.name != "exponential":
            return torch.ones((), dtype=like.dtype, device=like.device)
        return decay.held(self.beta, 0, 2.0 ** (self.rule.shift or 0))

    def _base_state_function(self, input_):
        """Decay and integrate; everything else of `snn.Leaky` builds on this."""
        lam, beta = self._lam_now(), self._beta_now(input_)
        return plain.integrate(self.mem, input_, lam, beta, self.rule)

    def forward(self, input_, mem=None):
        """One step [batch, …], or all of them [time, batch, …] if whole_sequence."""
        if mem is not None and self.init_hidden:
            raise Fault("`mem` is kept inside when init_hidden=True", found="mem=")
        if self.whole_sequence:
            spk, mem = self.sequence(input_, mem)
        else:
            spk, mem = self.step(input_, mem)
        return spk if self.init_hidden and not self.output else (spk, mem)

    def step(self, input_, mem=None) -> tuple[Tensor, Tensor]:
        """Decay → integrate → clamp → fire → reset, for one step [batch, …].

        Returns spikes and the state: V after the reset, or U if it is delayed.
        """
        self.mem = self.mem if mem is None else mem
        if self.mem.shape != input_.shape:
            self.mem = torch.zeros_like(input_)
        if self.rule.delayed:
            late = self._spikes(self.mem)
            self.reset = late.detach() if self.rule.detach_reset else late
            u = self.state_function(input_)
        else:
            u = self._base_state_function(input_)
        if self.rule.clamp is not None:
            u = plain.Bounded.apply(u, *self.rule.clamp)
        u = self.state_quant(u) if self.state_quant else u
        spk = self._spikes(u)
        self.mem = kernels.settle(u, spk, theta=self.threshold, rule=self.rule)
        return self._graded(spk), self.mem

    def sequence(self, current, mem=None) -> tuple[Tensor, Tensor]:
        """All steps [time, batch, …] at once; the same spikes as step by step.

        Starts from `mem`, from the state kept inside (init_hidden), or from rest.
        Returns spikes and states; only the last state where nobody asked for more.
        """
        if self.inhibition or self.state_quant:
            spikes, states = zip(*(self.step(now) for now in current.unbind(0)))
            return torch.stack(spikes), torch.stack(states)
        kept = self.init_hidden and self.mem.shape == current.shape[1:]
        wanted = self.output or not self.init_hidden
        fixed = not isinstance(self.threshold, nn.Parameter)
        spk, u = kernels.sequence(
            current,
            rule=self.rule,
            lam=self._lam_now(),
            beta=self._beta_now(current),
            theta=self.threshold,
            state=self.mem if mem is None and kept else mem,
            membrane=wanted,
            check="input" if fixed else "all",
            fire=None if self.named else self.spike_grad,
            **self.memory,
        )
        if wanted:
            u = kernels.settle(u, spk, theta=self.threshold, rule=self.rule)
        if len(current):
            self.mem = u[-1] if wanted else u
        return self._graded(spk), u

    def _spikes(self, mem) -> Tensor:
        if self.inhibition:
            return self.fire_inhibition(mem.size(0), mem) / self.graded_spikes_factor
        return self.spike_grad(mem - self.threshold)

    def _graded(self, spk) -> Tensor:
        return spk * self.graded_spikes_factor if self.graded else spk

    def __deepcopy__(self, memo):
        """A copy with its own state, known to `utils.reset` like any new layer."""
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        self.mem, self.reset = self.mem.detach(), None
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        _hold_weakly(twin)
        return twin


def _hold_weakly(layer):
    """snnTorch lists every layer for ever; let ours be freed with their network."""
    alive = weakref.proxy(layer)
    others = [x for x in snn.SpikingNeuron.instances if x is not layer]
    snn.SpikingNeuron.instances = [*others, alive]
    weakref.finalize(layer, _forget, alive).atexit = False


def _forget(dead):
    kept = [x for x in snn.SpikingNeuron.instances if x is not dead]
    snn.SpikingNeuron.instances = kept


def reset(net: nn.Module):
    """Bring every spiking layer to rest, however deep it lies.

    `snntorch.utils.reset` looks at the network's direct children only.
    """
    for layer in net.modules():
        if isinstance(layer, snn.SpikingNeuron) and hasattr(layer, "reset_mem"):
            layer.reset_mem()
