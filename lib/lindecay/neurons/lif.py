"""LinearDecayLIF: a spiking neuron for snnTorch whose leak is linear (or any other).

    D = sign(V)·max(|V| − λ, 0);  U = D + I;  S = [U > θ];  V = U − θ·S

With law="exponential" and reset_delay=True it is `snn.Leaky`, spike by spike.
"""

import copy
import weakref
from collections.abc import Callable
from typing import Any
from warnings import warn

import snntorch as snn
import torch
from torch import Tensor, nn

from lindecay import decay, kernels
from lindecay.kernels import plain, values
from lindecay.neurons.surrogates import Rebuilt, named
from lindecay.settings import Fault

VALUES = {"lam": "λ", "beta": "β", "threshold": "θ"}
ONE = torch.ones(())  # the β of laws that have none
SETTINGS = (
    "detach_reset",
    "clamp",
    "shift",
    "rounding",
)  # of the rule, kept as they are


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


class Above(torch.autograd.Function):
    """max(x, low); below, only gradients that lead back up pass."""

    @staticmethod
    def forward(ctx, x, low):
        ctx.save_for_backward(x, low)
        return torch.maximum(x, low)

    @staticmethod
    def backward(ctx, g):
        x, low = ctx.saved_tensors
        return torch.where((x <= low) & (g > 0), 0.0, g), None


class NoBeta:
    """Stands where `snn.Leaky` keeps β, so that no exporter invents one."""

    def __init__(self, law: str = "shrink"):
        self.law = law

    def _none(self, *_):
        linear = self.law != "none"
        raise Fault(
            "a linear leak has no β" if linear else "a neuron without a leak has no β",
            expected="law='exponential'" + (" or law='none'" if linear else ""),
            found=f"law={self.law!r}",
            do="NIR's LIF and CubaLIF leak exponentially; its IF has no leak",
        )

    detach = clamp = numpy = item = _none


class LinearDecayLIF(snn.Leaky):
    """Leaky integrate-and-fire with linear decay.

    lam: λ per step, in units of the membrane: number or tensor that broadcasts
        against [batch, …, neurons]; kept in [0, θ). beta: for law="exponential". A
        Parameter given for lam, beta or threshold is used itself and learned.
    law: shrink | floor | floor_after | drift | exponential | shift | none.
    shift, rounding, clamp: whole-number laws and the membrane's range (kernels.Rule).
    learn_lam, learn_beta, learn_threshold: which of them are parameters. A learned λ is
        used within [0, θ), a learned β within [0, 1], a learned θ above λ and 0;
        outside only gradients that lead back in pass (of each step, or sequence).
    reset_delay: False resets at once; True is snnTorch's habit, one step later.
    detach_reset: no gradient through the spike that resets (snnTorch's habit).
    whole_sequence: `forward` takes [time, batch, …] and runs it in one go.
    inplace, recompute: ways to spend less memory on it (see kernels.sequence).
    check: True looks at every input and parameter; False trusts them (a few µs a step).
    Everything else as in `snn.Leaky`: returns spikes and membrane, or spikes alone
    with init_hidden=True (unless output=True). Settings may be changed at any time:
    every forward goes by what they are then. Spikes have the input's floating-point
    dtype; the membrane is float32, or float64 for float64 inputs.

    Raises Fault for values out of range, and for arguments that the law does not use.

    >>> lif = LinearDecayLIF(0.1, init_hidden=True)
    >>> [lif(torch.full((1, 1), 0.6)).item() for _ in range(4)]
    [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(
        self,
        lam: float | Tensor = 0.0,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        *,
        law: str = "shrink",
        beta: float | Tensor = 1.0,
        shift: int | None = None,
        rounding: str = "nearest",
        clamp: tuple[float, float] | None = None,
        learn_lam: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_delay: bool = False,
        detach_reset: bool = True,
        whole_sequence: bool = False,
        inplace: bool = False,
        recompute: bool = False,
        check: bool = True,
        **leaky: Any,
    ) -> None:
        self._law = decay.law(law).name
        _used(self._law, learn_lam, learn_beta, shift)
        given = {
            "threshold": values.floating("θ", threshold),
            "learn_threshold": learn_threshold or isinstance(threshold, nn.Parameter),
            "learn_beta": learn_beta or isinstance(beta, nn.Parameter),
        }
        beta = values.floating("β", beta)
        values.check_used(values.floating("λ", lam), beta, self._law)
        super().__init__(
            beta, spike_grad=spike_grad, reset_delay=reset_delay, **given, **leaky
        )
        _place(self, "lam", lam, learn_lam)
        self.detach_reset, self.clamp = detach_reset, clamp
        self.shift, self.rounding, self.check = shift, rounding, check
        self.whole_sequence = whole_sequence
        self.memory = {"inplace": inplace, "recompute": recompute}
        raw = self.lam, self._raw_beta(), self.threshold
        kernels.check_parameters(*(p.detach() for p in raw), self.rule)
        _hold_weakly(self)

    # ---- what the layer is made of: snnTorch's hooks, each through the one door

    def _threshold_buffer(self, threshold, learn_threshold):
        _place(self, "threshold", threshold, learn_threshold)

    def _graded_spikes_buffer(self, factor, learn):
        _place(self, "graded_spikes_factor", factor, learn, "graded_spikes_factor")

    def _beta_buffer(self, beta, learn_beta):
        if self._law == "exponential":
            _place(self, "beta", beta, learn_beta)
        else:
            self.beta = NoBeta(self._law)

    def __setattr__(self, name, value):
        """Numbers may be assigned to λ, β and θ; what is derived may not."""
        if name in VALUES and name in self._buffers and value is not None:
            value = values.floating(VALUES[name], value).detach()
        if name in ("law", "rule"):
            what = f"`{name}` cannot be assigned"
            do = (
                "make a new layer" if name == "law" else "set reset_mechanism, clamp, …"
            )
            raise Fault(what, found=repr(value)[:60], do=do)
        super().__setattr__(name, value)

    @property
    def law(self) -> decay.Law:
        """The decay law."""
        return decay.LAWS[self._law]

    @property
    def rule(self) -> kernels.Rule:
        """What the layer does now, from its settings as they are."""
        return self._kept_rule()[1]

    def _kept_rule(self) -> tuple:
        """(settings, rule, whether the fused loop knows the surrogate), made once."""
        now, kept = self.__dict__, self.__dict__.get("_rule")
        own = now["detach_reset"], now["clamp"], now["shift"], now["rounding"]
        key = (now["_reset_mechanism"], now["reset_delay"], self.spike_grad, *own)
        if kept is None or kept[0] != key:
            known = named(self.spike_grad)
            rule = self._derived(known, dict(zip(SETTINGS, own)))
            kept = now["_rule"] = key, rule, known is not None
        return kept

    def _derived(self, known, own: dict) -> kernels.Rule:
        surrogate, slope = known or ("straight", 1.0)
        return kernels.Rule(
            law=self._law,
            reset=self._reset_mechanism,
            delayed=bool(self.reset_delay),
            surrogate=surrogate,
            slope=slope,
            **own,
        )

    @property
    def named(self) -> bool:
        """Whether the surrogate is one that the fused loop knows."""
        return self._kept_rule()[2]

    @property
    def graded(self) -> bool:
        """Whether spikes are scaled."""
        factor = self._own("graded_spikes_factor")
        if isinstance(factor, nn.Parameter):
            return True
        return factor.item() != 1 if factor.numel() == 1 else bool((factor != 1).any())

    # ---- parameters as this step uses them

    def _own(self, name: str) -> Tensor:
        """A buffer or parameter; asking the module itself takes ten times as long."""
        found = self._buffers.get(name)
        return self._parameters[name] if found is None else found

    def _lam_now(self, threshold: Tensor | None = None) -> Tensor:
        lam = self._own("lam")
        if not isinstance(lam, nn.Parameter):
            return lam
        threshold = self._threshold_now() if threshold is None else threshold
        top = threshold.detach() * (1 - _step(lam, threshold))
        return Within.apply(lam, top.to(lam))

    def _raw_beta(self) -> Tensor:
        return self._own("beta") if self._law == "exponential" else ONE

    def _beta_now(self, like) -> Tensor:
        if self._law != "exponential":
            alike = like.dtype == ONE.dtype and like.device == ONE.device
            return ONE if alike else ONE.to(like)
        beta = self._own("beta")
        if not isinstance(beta, nn.Parameter):
            return beta
        top = beta.new_tensor(2.0 ** (self.shift or 0))
        return Within.apply(beta, top)

    def _threshold_now(self) -> Tensor:
        """θ; a learned one that has met λ or 0 stays just above, and says so once."""
        threshold = self._own("threshold")
        if not isinstance(threshold, nn.Parameter):
            return threshold
        least = self.threshold.new_tensor(_step(self.lam, self.threshold))
        if not isinstance(self.lam, nn.Parameter):
            lam = self.lam.detach().reshape(-1).amax(0) if self.lam.numel() else least
            lam = lam.to(least)
            least = torch.maximum(least, lam * (1 + 4 * least) + least)
        low = not torch.compiler.is_compiling() and bool((self.threshold < least).any())
        if low and not self.__dict__.get("_warned"):
            self.__dict__["_warned"] = True
            warn(
                "a learned threshold fell to λ or 0; it is kept just above",
                stacklevel=3,
            )
        return Above.apply(self.threshold, least) if low else self.threshold

    def _now(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """λ, β and θ in the membrane's dtype, a single value without axes."""
        theta = self._threshold_now()
        found = self._lam_now(theta), self._beta_now(like), theta
        found = (p.reshape(()) if p.dim() and p.numel() == 1 else p for p in found)
        return tuple(p if p.dtype == like.dtype else p.to(like.dtype) for p in found)

    def _checked(self, current: Tensor, shape, whole: bool) -> None:
        """Faults of shapes and values; what was found good is not looked at again."""
        if not self.check or values.traced(current):
            return
        raw = self._own("lam"), self._raw_beta(), self._own("threshold")
        seen = (shape, self.rule, *(_state_of(p) for p in raw))
        if whole or seen != self.__dict__.get("_seen"):
            for name, p in zip(("λ", "β", "θ"), raw):
                values.check_shape(name, p, shape)
                values.check_finite(name, p.detach())
            fixed = [p.detach() for p in self._now(raw[0].detach())]
            kernels.check_parameters(*fixed, self.rule)
            self.__dict__["_seen"] = seen

    def _felt(self, u, current) -> None:
        """Fault for a current that is NaN or infinite, as the membrane shows it.

        U is still in the cache. Only max(·, 0) after the current hides −∞.
        """
        if not self.check or u.device.type != "cpu" or values.traced(u):
            return
        seen = current if self._law == "floor_after" else u
        if not values.finite(seen):
            values.check_finite("current", current)

    def _base_state_function(self, input_):
        """Decay and integrate; everything else of `snn.Leaky` builds on this."""
        lam, beta, _ = self._now(input_)
        return plain.integrate(self.mem, input_, lam, beta, self.rule)

    # ---- forward

    def forward(
        self, input_: Tensor, mem: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """One step [batch, …], or all of them [time, batch, …] if whole_sequence."""
        if mem is not None and self.init_hidden:
            raise Fault("`mem` is kept inside when init_hidden=True", found="mem=")
        if self.whole_sequence:
            spk, mem = self.sequence(input_, mem)
        else:
            spk, mem = self.step(input_, mem)
        return spk if self.init_hidden and not self.output else (spk, mem)

    def _start(self, mem, current: Tensor) -> Tensor | None:
        """The membrane before a step: `mem`, or None for rest.

        snnTorch's `reset_mem()` gives zeros in the shape of an earlier batch, or none
        at all: they mean rest. Other values of another shape are refused.
        """
        if mem is None:
            return None
        mem = values.wide("mem", mem)
        if mem.shape == current.shape:
            return mem.to(current) if mem.dtype != current.dtype else mem
        if mem.numel() and bool(mem.any()):
            raise Fault(
                "mem has the wrong shape",
                expected=list(current.shape),
                found=list(mem.shape),
                do="reset the layer before another batch",
            )
        return None

    def _sound(self, v) -> None:
        """Fault where a membrane that is not our own is NaN or infinite."""
        if self.check and v is not None and not values.traced(v):
            if not values.finite(v):
                values.check_finite("state", v)

    def step(self, input_, mem=None) -> tuple[Tensor, Tensor]:
        """Decay → integrate → clamp → fire → reset, for one step [batch, …].

        Returns spikes and the state: V after the reset, or U if it is delayed.
        """
        current = values.wide("current", input_)
        self._checked(current, current.shape, whole=False)
        kept = self.mem if self.mem.shape == current.shape else None
        v = self._start(kept if mem is None else mem, current)
        if mem is not None and mem is not self.mem:
            self._sound(v)
        return self._stepped(current, v, values.spike_dtype(input_))

    def _stepped(self, current, v, dtype) -> tuple[Tensor, Tensor]:
        rule, (lam, beta, theta) = self.rule, self._now(current)
        v = torch.zeros_like(current) if v is None else v
        if rule.delayed:  # inhibition picks who fires; who is above θ resets
            late = self._fired(v - theta)
            late = self.reset = late.detach() if rule.detach_reset else late
            v = (1 - late) * v if rule.reset == "zero" else v
        u = plain.integrate(v, current, lam, beta, rule)
        self._felt(u, current)
        if rule.delayed and rule.reset == "subtract":
            u = u - late * theta
        if rule.clamp is not None:
            u = plain.Bounded.apply(u, *rule.clamp)
        u = self.state_quant(u) if self.state_quant else u
        spk = self._spikes(u, theta)
        self.mem = kernels.settle(u, spk, theta=theta, rule=rule)
        return self._graded(spk.to(dtype)), self.mem

    def sequence(self, current, mem=None) -> tuple[Tensor, Tensor]:
        """All steps [time, batch, …] at once; the same spikes as step by step.

        Starts from `mem`, from the state kept inside (init_hidden), or from rest.
        Returns spikes and states; only the last state where nobody asked for more.
        """
        given, current = current, values.wide("current", current)
        if current.dim() < 2:
            want = "[time, batch, …, neurons]"
            raise Fault(
                "current has the wrong rank", expected=want, found=list(current.shape)
            )
        self._checked(current, current.shape[1:], whole=True)
        kept = self.init_hidden and self.mem.shape == current.shape[1:]
        v = self._start(self.mem if mem is None and kept else mem, current[:1].sum(0))
        if self.inhibition or self.state_quant:
            return self._in_steps(current, v, values.spike_dtype(given))
        return self._fused(given, current, v)

    def _in_steps(self, current, v, dtype) -> tuple[Tensor, Tensor]:
        """Step by step, for what looks at several neurons or rewrites the state."""
        self._sound(v)
        if self.check and not values.traced(current):
            values.check_finite("current", current)
        spikes, states = current.to(dtype), current * 1.0
        made = []
        for now in current.unbind(0):
            spk, v = self._stepped(now, v, dtype)
            made.append((spk, v))
        if made:
            spikes, states = (torch.stack(x) for x in zip(*made))
        return spikes, states

    def _fused(self, given, current, v) -> tuple[Tensor, Tensor]:
        wanted = self.output or not self.init_hidden
        lam, beta, theta = self._now(current)
        spk, u = kernels.sequence(
            current,
            rule=self.rule,
            lam=lam,
            beta=beta,
            theta=theta,
            state=v,
            membrane=wanted,
            check="input" if self.check else "none",
            fire=None if self.named else self.spike_grad,
            **self.memory,
        )
        if wanted:
            u = kernels.settle(u, spk, theta=theta, rule=self.rule)
        if len(current):  # a copy: `detach_hidden` works in place, which views refuse
            last = u[-1] if wanted else u
            self.mem = last.clone() if last._is_view() else last
        return self._graded(spk.to(values.spike_dtype(given))), u

    def _spikes(self, mem, theta) -> Tensor:
        x = mem - theta
        spk = self._fired(x)
        if not self.inhibition:
            return spk
        first = nn.functional.one_hot(x.argmax(1), x.shape[1])
        return spk * first.to(spk.dtype)

    def _fired(self, x) -> Tensor:
        """[x > 0]; known surrogates by their own slope, which is finite everywhere."""
        _, rule, known = self._kept_rule()
        if known:
            return plain.Fire.apply(x, rule.surrogate, rule.slope)
        return self.spike_grad(x).to(x.dtype)

    def _graded(self, spk) -> Tensor:
        return spk * self.graded_spikes_factor.to(spk.dtype) if self.graded else spk

    # ---- copies, files

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        """Checked before anything is copied; the reset follows what was loaded."""
        given = {k: state_dict.get(prefix + k) for k in ("lam", "beta", "threshold")}
        self._check_loaded({k: v for k, v in given.items() if v is not None})
        super()._load_from_state_dict(state_dict, prefix, *rest)
        number = int(self.reset_mechanism_val)
        names = list(self.reset_dict)
        if not 0 <= number < len(names):
            found = f"reset_mechanism_val = {number}"
            raise Fault("unknown reset", expected=" | ".join(names), found=found)
        self._reset_mechanism = names[number]

    def _check_loaded(self, given: dict) -> None:
        for name, value in given.items():
            values.check_finite(f"loaded {VALUES[name]}", value)
        now = {k: given.get(k, getattr(self, k)) for k in ("lam", "threshold")}
        now["beta"] = given.get("beta", self._raw_beta())
        learned = (isinstance(getattr(self, k), nn.Parameter) for k in now)
        if any(learned):
            return  # a learned value may stray; forward keeps it in range
        try:
            torch.broadcast_shapes(*(v.shape for v in now.values()))
        except RuntimeError:
            return  # torch says which shape is wrong
        found = (now[k].detach() for k in ("lam", "beta", "threshold"))
        kernels.check_parameters(*found, self.rule)

    def _no_leaf(self) -> dict:
        """The layer's dict with a state of its own, cut from the graph it came from."""
        own = {k: v for k, v in self.__dict__.items() if k not in ("_rule", "_seen")}
        buffers = dict(self._buffers)
        buffers["mem"] = self.mem.detach().clone()
        return own | {"_buffers": buffers, "reset": None}

    def __deepcopy__(self, memo):
        """A copy with its own state, known to `utils.reset` like any new layer."""
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(self._no_leaf(), memo)
        _hold_weakly(twin)
        return twin

    def __getstate__(self):
        """For pickle: snnTorch's surrogates are closures, which are made again."""
        own = self._no_leaf()
        own["state_function"] = self.state_function.__name__
        return own | {"spike_grad": Rebuilt.of(self.spike_grad)}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.state_function = getattr(self, self.state_function)
        if isinstance(self.spike_grad, Rebuilt):
            self.spike_grad = self.spike_grad.made()
        _hold_weakly(self)


def _place(layer, name: str, value, learn: bool, told: str = "") -> None:
    """Register a value: a Parameter as it is, else a copy, learned or not."""
    own = values.floating(told or VALUES[name], value)
    if isinstance(own, nn.Parameter):
        layer.register_parameter(name, own)
    elif learn:
        layer.register_parameter(name, nn.Parameter(own.detach().clone()))
    else:
        layer.register_buffer(name, own.detach().clone())


def _used(law: str, learn_lam: bool, learn_beta: bool, shift) -> None:
    """Fault for an argument that the law does not use."""
    if learn_lam and not decay.LAWS[law].linear:
        what = f"law '{law}' has no λ to learn"
        raise Fault(what, found="learn_lam=True", do="a linear law, or leave it out")
    if learn_beta and law != "exponential":
        what = f"law '{law}' has no β to learn"
        raise Fault(what, found="learn_beta=True", do="law='exponential'")
    if shift is not None and law not in ("exponential", "shift"):
        raise Fault(f"law '{law}' has no shift", found=f"shift={shift}")


def _step(*values_: Tensor) -> float:
    """The relative step of the coarsest of these and of the membrane, float32: what is
    apart by it in one dtype is apart in every one that a forward may use."""
    return max(torch.finfo(p.dtype).eps for p in (ONE, *values_))


def _state_of(p: Tensor):
    """Changes whenever a parameter does: its value, or its place and version."""
    if p is ONE:
        return None
    return p.item() if p.numel() == 1 else (p.data_ptr(), p._version, p.shape)


def _hold_weakly(layer):
    """snnTorch lists every layer for ever; let ours be freed with their network."""
    alive = weakref.proxy(layer)
    others = [x for x in snn.SpikingNeuron.instances if x is not layer]
    snn.SpikingNeuron.instances = [*others, alive]
    weakref.finalize(layer, _forget, alive).atexit = False


def _forget(dead):
    kept = [x for x in snn.SpikingNeuron.instances if x is not dead]
    snn.SpikingNeuron.instances = kept


def reset(net: nn.Module) -> None:
    """Bring every spiking layer to rest, however deep it lies.

    `snntorch.utils.reset` looks at the network's direct children only.
    """
    for layer in net.modules():
        if isinstance(layer, snn.SpikingNeuron) and hasattr(layer, "reset_mem"):
            layer.reset_mem()
