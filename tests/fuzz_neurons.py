"""Differential fuzzing of LinearDecayLIF: steps, whole, plain loop, numpy, snnTorch.

    python tests/fuzz_neurons.py CASES SEED [few]     (few: few loops are compiled)
    python tests/fuzz_neurons.py SEED                 (one case, with its traceback)

A case draws a layer (law, reset, delay, clamp, surrogate, vectors, learned or not), and
a history: runs of any shape and dtype, copies, files, moves, changed settings, resets,
wrong inputs. After each run spikes and states are equal, bit for bit, or both modes say
the same Fault. Prints one JSON object: cases, runs, faults, and every case that failed.
"""

import copy
import io
import json
import pickle
import sys
import time
import traceback
import warnings
from functools import partial

import numpy as np
import snntorch as snn
import torch
from snntorch import surrogate

from lindecay import kernels
from lindecay.kernels.plain import Fire
from lindecay.neurons import LinearDecayLIF, reset
from lindecay.settings import Fault

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
BYTES = (torch.bool, torch.uint8, torch.int8, torch.int16)
LINEAR = ("shrink", "floor", "floor_after", "drift")
ROUNDED = {
    "nearest": lambda x: np.copysign(np.floor(np.abs(x) + x.dtype.type(0.5)), x),
    "floor": np.floor,
    "trunc": np.trunc,
    "ceil": np.ceil,
    "half_in": lambda x: np.copysign(np.ceil(np.abs(x) - x.dtype.type(0.5)), x),
}
FEW = (  # the kinds of rule that short runs compile; the rest go without a fused loop
    {"law": "shrink", "reset_mechanism": "subtract", "reset_delay": False},
    {"law": "exponential", "reset_mechanism": "zero", "reset_delay": True},
)
FEW_SETTINGS = {"detach_reset": True, "clamp": None, "spike_grad": None}


class Unnamed:
    """A surrogate that no fused loop knows, of the same slope."""

    def __init__(self, own):
        self.own = own

    def __call__(self, x):
        return Fire.apply(x, *self.own)


NAMED = (
    None, surrogate.fast_sigmoid(10), surrogate.sigmoid(5),
    surrogate.straight_through_estimator(),
)  # fmt: skip
OTHERS = (
    surrogate.triangular(), surrogate.SFS(5, 1), Unnamed(("sigmoid", 5.0)),
    Unnamed(("fast_sigmoid", 10.0)), Unnamed(("straight", 1.0)),
)  # fmt: skip


def quantised(v):
    """A state_quant on a grid of its own."""
    return (v * 16).round() / 16


# ---- the oracle: a loop in numpy over values that the case itself keeps


class Oracle:
    """What the layer should be, without asking it."""

    def __init__(self, told: dict, learned: set, hidden: bool):
        self.told, self.learned, self.hidden = told, learned, hidden
        self.v = None  # the state, a tensor

    def used(self, name: str, like: torch.Tensor) -> np.ndarray:
        """λ, β or θ as the contract uses them, in the membrane's dtype."""
        lam, theta = self.told["lam"], self._theta()
        p = {"lam": lam, "threshold": theta, "beta": self.told["beta"]}[name]
        if name == "lam" and name in self.learned:
            top = (theta * (1 - self.eps())).to(lam)
            p = torch.minimum(p.clamp(min=0), top)
        if name == "beta" and name in self.learned:
            p = p.clamp(0, 2.0 ** (self.told["shift"] or 0))
        p = p.reshape(()) if p.numel() == 1 else p
        return p.to(like.dtype).numpy()

    def eps(self) -> float:
        """The step of the coarsest of λ, θ and the membrane."""
        kinds = self.told["lam"].dtype, self.told["threshold"].dtype, torch.float32
        return max(torch.finfo(kind).eps for kind in kinds)

    def _theta(self) -> torch.Tensor:
        theta = self.told["threshold"]
        if "threshold" not in self.learned:
            return theta
        least = torch.tensor(self.eps(), dtype=theta.dtype)
        if "lam" not in self.learned:
            lam = self.told["lam"]
            lam = lam.max().to(least) if lam.numel() else least
            least = torch.maximum(least, lam * (1 + 4 * least) + least)
        return torch.maximum(theta, least)

    def start(self, current: torch.Tensor) -> np.ndarray:
        fits = self.v is not None and self.v.shape == current.shape[1:]
        v = self.v if fits else torch.zeros(current.shape[1:])
        return v.to(current.dtype).numpy()

    def run(self, current: torch.Tensor) -> dict:
        """U, V and S of every step; the state moves on."""
        given, v, told = current.numpy(), self.start(current), self.told
        lam, beta, theta = (self.used(k, current) for k in ("lam", "beta", "threshold"))
        one, out = given.dtype.type(1), {"U": [], "V": [], "S": []}
        for now in given:
            late = (v > theta).astype(given.dtype)
            if told["reset_delay"] and told["reset_mechanism"] == "zero":
                v = np.where(late > 0, 0 * one, v)
            u = self.integrated(v, now, lam, beta)
            if told["reset_delay"] and told["reset_mechanism"] == "subtract":
                u = u - late * theta
            if told["clamp"] is not None:
                low, high = (given.dtype.type(x) for x in told["clamp"])
                u = np.minimum(np.maximum(u, low), high)
            u = quantised(torch.as_tensor(u)).numpy() if told["state_quant"] else u
            s = (u > theta).astype(given.dtype)
            if told["inhibition"]:
                s = s * (np.arange(u.shape[1]) == (u - theta).argmax(1)[:, None])
            v = u
            if not told["reset_delay"] and told["reset_mechanism"] == "subtract":
                v = u - s * theta
            if not told["reset_delay"] and told["reset_mechanism"] == "zero":
                v = u * (one - s)
            for key, x in (("U", u), ("V", v), ("S", s)):
                out[key].append(np.asarray(x, given.dtype))
        if len(given):
            self.v = torch.tensor(out["V"][-1])
        return {k: np.stack(x) if x else given * one for k, x in out.items()}

    def integrated(self, v, now, lam, beta):
        law, shift, zero = self.told["law"], self.told["shift"], v.dtype.type(0)
        power = v.dtype.type(2.0 ** -(shift or 0))
        if law == "floor_after":
            return np.maximum(v + now - lam, zero)
        if law == "shrink":
            v = np.copysign(np.maximum(np.abs(v) - lam, zero), v)
        if law == "floor":
            v = np.maximum(v - lam, zero)
        if law == "drift":
            v = v - lam
        if law == "exponential":
            v = beta * v
            v = v if shift is None else ROUNDED[self.told["rounding"]](v * power)
        if law == "shift":
            v = v - ROUNDED[self.told["rounding"]](v * power)
        return v + now


# ---- a case: a layer in both modes, and what happens to it


class Case:
    """One seed's layers and oracle."""

    def __init__(self, seed: int, few: bool = False):
        self.few, self.kind = few, None
        self.rng, self.seed = np.random.default_rng((14, seed)), seed
        torch.manual_seed(seed)
        self.runs = self.faults = 0
        self.log: list[str] = []
        if few and self._chance(0.25):
            self.kind = self._pick(FEW)
        self.shape = self._shape()
        self.told, learned = self._settings()
        hidden = self._chance(0.5)
        self.output = hidden and self._chance(0.5)
        self.oracle = Oracle(self.told, learned, hidden)
        self.first = dict(self.told)
        self.layers = {whole: self._made(whole) for whole in (False, True)}
        self.mems = {False: None, True: None}
        self.dtype = torch.float32
        self.checked = self.layers[True].check

    def _chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def _pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def _shape(self) -> tuple[int, ...]:
        axes = self._pick((0, 1, 1, 2, 2, 2, 3, 4))
        most = 70 if axes < 3 else 5
        sizes = [int(self.rng.integers(1, most if a else 6)) for a in range(axes)]
        if sizes and self._chance(0.05):
            sizes[self._pick(range(axes))] = 0
        return tuple(sizes)

    def _vector(self, low: float, high: float) -> torch.Tensor:
        """One value, or what broadcasts to the frame."""
        own, way = self.shape, self._pick(("one", "one", "last", "full", "mixed"))
        shape = {"one": (), "last": own[-1:], "full": own}.get(way)
        if shape is None:
            shape = tuple(n if self._chance(0.5) else 1 for n in own)
        if self._chance(0.1):
            shape = (1,)
        x = torch.from_numpy(np.asarray(self.rng.uniform(low, high, shape)))
        return x.to(self._pick((torch.float32, torch.float32, torch.float64)))

    def _settings(self) -> tuple[dict, set]:
        laws = (*LINEAR, "shrink", "exponential", "exponential", "shift", "none")
        law = self.kind["law"] if self.kind else self._pick(laws)
        shift = int(self.rng.integers(0, 9)) if law == "shift" else None
        if law == "exponential" and not self.kind and self._chance(0.3):
            shift = int(self.rng.integers(1, 9))
        self.whole_numbers = shift is not None
        high = 40.0 if self.whole_numbers else 1.0
        told = {
            "law": law, "shift": shift, "rounding": self._pick(list(ROUNDED)),
            "lam": torch.zeros(()), "beta": torch.ones(()),
            "threshold": self._vector(0.3 * high, high),
            "reset_mechanism": self._pick(("subtract", "subtract", "zero", "none")),
            "reset_delay": self._chance(0.4), "detach_reset": self._chance(0.6),
            "clamp": self._clamp(high), "spike_grad": self._surrogate(),
            "graded_spikes_factor": self._pick((1.0, 1.0, 1.0, 2.5)),
            "inhibition": len(self.shape) == 2 and all(self.shape)
            and self._chance(0.1),
            "state_quant": quantised if self._chance(0.1) else False,
        }  # fmt: skip
        told |= self.kind | FEW_SETTINGS if self.kind else {}
        names = ["threshold"]
        if law in LINEAR:
            told["lam"] = self._vector(0, 0.29)
            names.append("lam")
        if law == "exponential":
            told["beta"] = self._vector(0, 1)
            if shift:
                told["beta"] = (told["beta"] * 2**shift).round()
            names.append("beta")
        if self.kind is FEW[1]:
            return told | {
                k: torch.tensor(x) for k, x in (("beta", 0.8), ("threshold", 0.6))
            }, set()
        return told, {k for k in names if self._chance(0.3)}

    def _surrogate(self):
        return self._pick(OTHERS if self.few else NAMED + OTHERS)

    def _clamp(self, high: float):
        if self._chance(0.7):
            return None
        return self._pick(((-0.5 * high, 1.5 * high), (0.0, high), (-high, 0.4 * high)))

    def _made(self, whole: bool) -> LinearDecayLIF:
        """A layer as the oracle now is; what is learned as it was at first."""
        told = self.told | {k: self.first[k] for k in self.oracle.learned}
        lam, threshold = told.pop("lam"), told.pop("threshold")
        learned = {f"learn_{k}": True for k in self.oracle.learned}
        check = self.seed % 8 != 0
        more = {"init_hidden": self.oracle.hidden, "output": self.output}
        return LinearDecayLIF(
            lam, threshold, **told, **learned, **more, whole_sequence=whole, check=check
        )

    # ---- one run of both, and everything that it is compared with

    def current(self) -> torch.Tensor:
        """Input [T, …] of any kind and layout."""
        steps = self._pick((0, 1, 2, 5, 9, 17))
        kind = self._pick((*FLOATS, *FLOATS, *BYTES))
        if self.kind and kind == torch.float64:
            kind = torch.float32
        if self.told["inhibition"]:  # of equal membranes any may win
            kind = self._pick(FLOATS[:2])
        shape = (steps, *self.shape)
        scale = 30.0 if self.whole_numbers else 0.6
        if kind in BYTES:
            x = torch.from_numpy(np.asarray(self.rng.integers(0, 2, shape)))
        else:
            x = torch.from_numpy(np.asarray(self.rng.normal(0.2, 1, shape))) * scale
            x = x.round() if self.whole_numbers else x
        if len(shape) > 1 and self._chance(0.25):  # the same values, other strides
            order = self.rng.permutation(len(shape)).tolist()
            back = np.argsort(order).tolist()
            x = x.permute(order).contiguous().permute(back)
        if self._chance(0.1):
            x = torch.cat([x, x])[::2] if steps > 1 else x
        return x.to(kind)

    def run(self) -> None:
        """Both modes over one input; a Fault of rank where there is no batch axis."""
        x = self.current()
        self.log.append(f"run {tuple(x.shape)} {x.dtype}")
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        before = self.oracle.v
        want = self.oracle.run(x.to(wide))
        graded = self.told["graded_spikes_factor"]
        kind = x.dtype if x.dtype.is_floating_point else torch.float32
        spikes = torch.from_numpy(want["S"]).to(kind) * torch.tensor(graded).to(kind)
        grads = []
        for whole, layer in self.layers.items():
            if whole and x.dim() < 2:
                self.refused(partial(layer, x), "wrong rank")
                self._follow(layer, before, want)
                continue
            given = x.clone().requires_grad_() if x.dtype in FLOATS[:2] else x
            spk, mem = self.called(whole, layer, given)
            same(f"spikes, whole={whole}", spk, spikes)
            assert spk.dtype == kind, (spk.dtype, kind)
            if mem is not None:
                same(f"states, whole={whole}", mem, torch.from_numpy(want["V"]))
            grads.append(self.gradients(layer, given, spk, mem))
            if self.oracle.hidden and len(x):
                same(f"state kept, whole={whole}", layer.mem, self.oracle.v)
        known = [self.told[k].dtype == torch.float64 for k in self.oracle.learned]
        self.deep = all([wide == torch.float64, *known, self.layers[True].named])
        if len(grads) == 2:
            self.compared(*grads)
        self.plain(x, before, want, wide)
        self.theirs(x, before, want)
        self.runs += 1

    def _follow(self, layer, before, want) -> None:
        if len(want["V"]) and self.oracle.hidden:
            layer.mem = self.oracle.v.clone()
        elif len(want["V"]):
            self.mems[True] = self.oracle.v.clone()

    def called(self, whole: bool, layer, x) -> tuple:
        """(spikes, states or None) of all steps; the state is kept for the next run."""
        hidden, found = self.oracle.hidden, []
        mem = {} if hidden else {"mem": self.mems[whole]}
        if whole:
            out = layer(x, **mem)
            spk, states = out if isinstance(out, tuple) else (out, None)
            if not hidden and len(x):
                self.mems[True] = states[-1].detach()
            return spk, states
        for now in x:
            out = layer(now, **mem)
            out = out if isinstance(out, tuple) else (out, None)
            found.append(out)
            mem = {} if hidden else {"mem": out[1]}
        if not hidden:
            self.mems[False] = mem["mem"] if mem["mem"] is None else mem["mem"].detach()
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        kind = x.dtype if x.dtype.is_floating_point else torch.float32
        if not found:
            return x.to(kind), x.to(wide)
        spk, states = zip(*found)
        return torch.stack(spk), None if states[0] is None else torch.stack(states)

    def gradients(self, layer, x, spk, mem) -> list:
        """Of x and of what is learned, by a fixed sum; the state is cut behind it."""
        layer.zero_grad()
        if x.requires_grad and spk.requires_grad:
            generator = torch.Generator().manual_seed(self.seed)
            shape = spk.shape
            w = torch.randn(shape, generator=generator, dtype=torch.float64)
            total = (spk * w.to(spk)).sum()
            total = total if mem is None else total + (mem * w.flip(0).to(mem)).sum()
            total.backward()
        if layer.mem.requires_grad:
            layer.mem = layer.mem.detach()
        own = [p.grad for p in layer.parameters()]
        return [x.grad if x.requires_grad else None, *own]

    def compared(self, a: list, b: list) -> None:
        """Gradients agree but for the order of sums over time and neurons."""
        narrow = any(p.dtype in FLOATS[2:] for p in self.layers[True].parameters())
        if narrow or self.told["inhibition"] or self.told["state_quant"]:
            return  # steps round each one's gradient to the narrow float
        if any(self.strays(k) for k in self.oracle.learned):
            return  # steps decide one by one which gradients lead back into range
        for g, h in zip(a, b):
            if (g is None or h is None) and (g is None or not g.any()):
                continue
            assert g is not None and h is not None, "a gradient in one mode only"
            most = float(g.abs().max()) if g.numel() else 0
            close = 1e-8 if self.deep else 2e-4
            np.testing.assert_allclose(h, g, rtol=10 * close, atol=close * (most + 1))

    def strays(self, name: str) -> bool:
        """Whether a learned value lies where forward has to hold it back."""
        raw, like = self.told[name], torch.zeros((), dtype=torch.float64)
        used = torch.as_tensor(self.oracle.used(name, like))
        top = 2.0 ** (self.told["shift"] or 0) if name == "beta" else float("inf")
        low = name != "threshold" and bool((raw <= 0).any())
        return low or bool((raw >= top).any() or (used != raw.double()).any())

    def plain(self, x, before, want, wide) -> None:
        """The kernels' own door: plain torch, and the fused loop where it can run."""
        told = self.told
        if told["inhibition"] or told["state_quant"] or x.dim() < 2:
            return
        fits = before is not None and before.shape == x.shape[1:]
        values = {
            k: torch.as_tensor(self.oracle.used(n, x.to(wide)))
            for k, n in (("lam", "lam"), ("beta", "beta"), ("theta", "threshold"))
        }
        rule = self.layers[True].rule
        for backend in ("plain",) if self.few else ("plain", "auto"):
            spk, u = kernels.sequence(
                x, rule=rule, **values, state=before if fits else None, backend=backend
            )
            same(f"plain spikes, {backend}", spk, torch.from_numpy(want["S"]))
            same(f"membranes, {backend}", u, torch.from_numpy(want["U"]))

    def theirs(self, x, before, want) -> None:
        """snn.Leaky, where its definition is ours."""
        told = self.told
        odd = told["shift"] is not None or told["clamp"] or told["inhibition"]
        delayed = told["reset_delay"] and told["law"] == "exponential"
        wide = x.dtype in FLOATS[: 2 if x.dim() > 1 else 1]
        # snnTorch's reset is float32: times a single θ of float64 it rounds to float32
        if not delayed or odd or told["state_quant"] or not wide:
            return
        beta, theta = (
            torch.as_tensor(self.oracle.used(k, x)) for k in ("beta", "threshold")
        )
        theta = theta.reshape(-1) if not theta.dim() and x.dim() > 1 else theta
        layer = snn.Leaky(beta, theta, reset_mechanism=told["reset_mechanism"])
        snn.SpikingNeuron.instances.remove(layer)
        mem = torch.as_tensor(Oracle.start(_At(before), x))
        for t, now in enumerate(x):
            spk, mem = layer(now, mem)
            same("snnTorch's spikes", spk, torch.as_tensor(want["S"][t]))
            same("snnTorch's membrane", mem, torch.as_tensor(want["U"][t]))

    # ---- what happens between runs

    def copied(self) -> None:
        """deepcopy, pickle, or torch.save of both."""
        way = self._pick((copy.deepcopy, _pickled, _saved))
        self.log.append(way.__name__)
        self.layers = {k: way(m) for k, m in self.layers.items()}

    def loaded(self) -> None:
        """State dicts into new layers, whose state is at rest."""
        self.log.append("state dict")
        for whole, layer in self.layers.items():
            new = self._made(whole).to(self.dtype if self.moved else torch.float32)
            if not self.moved:
                new = self._made(whole)
            new.load_state_dict(layer.state_dict())
            self.layers[whole] = new
        if self.moved:
            self._narrowed()
        if self.oracle.hidden:
            self.oracle.v = None

    moved = False

    def move(self) -> None:
        """To another dtype: values and a kept state are rounded to it."""
        self.dtype, self.moved = self._pick(FLOATS), True
        self.log.append(f"move {self.dtype}")
        for layer in self.layers.values():
            layer.to(self.dtype)
        self._narrowed()
        if self.oracle.hidden and self.oracle.v is not None:
            self.oracle.v = self.oracle.v.to(self.dtype)

    def _narrowed(self) -> None:
        for name in ("lam", "beta", "threshold"):
            if name != "beta" or self.told["law"] == "exponential":
                self.told[name] = self.told[name].to(self.dtype)

    def change(self) -> None:
        """A setting as another layer might have it."""
        name = self._pick(("reset_mechanism", "reset_delay", "detach_reset", "clamp",
                           "spike_grad", "threshold", "lam", "beta"))  # fmt: skip
        law = self.told["law"]
        if self.kind and name not in ("threshold", "lam", "beta"):
            return
        if (
            name == "lam"
            and law not in LINEAR
            or name == "beta"
            and law != "exponential"
        ):
            return
        high = 40.0 if self.whole_numbers else 1.0
        values = {
            "reset_mechanism": self._pick(("subtract", "zero", "none")),
            "reset_delay": self._chance(0.5), "detach_reset": self._chance(0.5),
            "clamp": self._clamp(high), "spike_grad": self._surrogate() or NAMED[1],
        }  # fmt: skip
        self.log.append(f"change {name}")
        if name in ("threshold", "lam", "beta"):
            return self._value(name, high)
        self.told[name] = values[name]
        for layer in self.layers.values():
            setattr(layer, name, values[name])

    def _value(self, name: str, high: float) -> None:
        """A buffer gets another value, a parameter strays, also out of range."""
        old = self.told[name]
        own = {"lam": (0, 0.29), "beta": (0, 1), "threshold": (0.3 * high, high)}[name]
        if name in self.oracle.learned:
            far = self._pick((own, own, (-1.0, -0.2), (1.2 * high, 3 * high)))
            new = torch.from_numpy(np.asarray(self.rng.uniform(*far, old.shape))).to(
                old
            )
            for layer in self.layers.values():
                getattr(layer, name).data.copy_(new)
        else:
            new = self._vector(*own)
            whole = name == "beta" and self.told["shift"]
            new = (new * 2**whole).round() if whole else new
            new = float(new) if new.numel() == 1 and self._chance(0.5) else new
            for layer in self.layers.values():
                setattr(layer, name, new)
            new = torch.as_tensor(
                new, dtype=None if torch.is_tensor(new) else torch.float32
            )
        self.told[name] = new

    def rest(self) -> None:
        """Reset, or another batch: both start anew."""
        self.log.append("rest")
        for layer in self.layers.values():
            reset(layer)
        self.mems, self.oracle.v = {False: None, True: None}, None
        few = self.shape[:1] and all(
            self.told[k].dim() < len(self.shape) or self.told[k].shape[0] == 1
            for k in ("lam", "beta", "threshold")
        )
        if few and len(self.shape) > 1 and self._chance(0.5):
            self.shape = (int(self.rng.integers(1, 6)), *self.shape[1:])

    def cut(self) -> None:
        """snnTorch's detach_hidden."""
        self.log.append("detach_hidden")
        LinearDecayLIF.detach_hidden()

    # ---- wrong inputs: one Fault, the same words in both modes, nothing changed

    def wrong(self) -> None:
        """Something that both modes must refuse; afterwards all is as before."""
        if not self.checked or len(self.shape) < 1:
            return
        name = self._pick(
            ("nan", "inf", "dtype", "theta", "lam", "shape", "mem", "nan mem")
        )
        self.log.append(f"wrong {name}")
        x = torch.zeros(2, *self.shape)
        words, given, spoil = self._wrong(name, x)
        if words is None:
            return
        told = []
        for whole, layer in self.layers.items():
            held = {k: getattr(layer, k) for k in spoil}
            for k, v in spoil.items():
                setattr(layer, k, v)
            mem = given.get("mem")
            if mem is None and not self.oracle.hidden:
                mem = self.mems[whole]
            own = {} if self.oracle.hidden else {"mem": mem}
            now = given.get("x", x)
            call = partial(layer, now if whole else now[0], **own)
            told.append(self.refused(call, words))
            for k, v in held.items():
                setattr(layer, k, v)
        told = [words.split(":")[0] for words in told]
        assert told[0] == told[1], told

    def _wrong(self, name: str, x) -> tuple:
        if name in ("nan", "inf"):
            if not x[0].numel():
                return None, {}, {}
            spoilt = x.clone()
            spoilt[0].view(-1)[int(self.rng.integers(x[0].numel()))] = float(name)
            return "current is not finite", {"x": spoilt}, {}
        if name == "dtype":
            odd = self._pick((torch.int64, torch.int32, torch.complex64))
            return "wrong dtype", {"x": x.to(odd)}, {}
        if name == "theta" and "threshold" not in self.oracle.learned:
            bad = self._pick((-1.0, 0.0, float("nan"), float("inf")))
            words = "θ must be positive" if bad <= 0 else "θ is not finite"
            return words, {}, {"threshold": bad}
        if name == "lam" and not {"lam", "threshold"} & self.oracle.learned:
            if self.told["law"] in LINEAR and self.told["threshold"].numel():
                bad = self._pick((1e4, -0.1, float("nan")))
                words = {1e4: "λ must be below θ", -0.1: "λ must not be negative"}
                return words.get(bad, "λ is not finite"), {}, {"lam": bad}
        if name == "shape" and "threshold" not in self.oracle.learned:
            odd = torch.full((3, *(n + 2 for n in self.shape)), 50.0)
            return "θ has the wrong shape", {}, {"threshold": odd}
        if name == "mem" and not self.oracle.hidden:
            odd = torch.ones(*self.shape[:-1], self.shape[-1] + 1)
            if odd.numel():
                return "mem has the wrong shape", {"mem": odd}, {}
        if name == "nan mem" and not self.oracle.hidden and x[0].numel():
            return "is not finite", {"mem": torch.full(self.shape, float("nan"))}, {}
        return None, {}, {}

    def refused(self, call, words: str) -> str:
        """The Fault of a call: one line that holds `words`."""
        try:
            call()
        except Fault as fault:
            self.faults += 1
            assert words in str(fault) and "\n" not in str(fault), (words, str(fault))
            return str(fault)
        raise AssertionError(f"no Fault: {words}")


class _At:
    """Stands for an oracle whose state is given."""

    def __init__(self, v):
        self.v = v


def _pickled(layer):
    return pickle.loads(pickle.dumps(layer))


def _saved(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def same(what: str, a: torch.Tensor, b: torch.Tensor) -> None:
    """Equal in every bit that counts; NaN equals NaN."""
    a, b = a.detach().double().numpy(), b.detach().double().numpy()
    assert a.shape == b.shape, f"{what}: shape {a.shape}, right is {b.shape}"
    if not np.array_equal(a, b, equal_nan=True):
        at = tuple(np.argwhere(~((a == b) | (np.isnan(a) & np.isnan(b))))[0].tolist())
        raise AssertionError(f"{what}: {a[at]!r} at {at}, right is {b[at]!r}")


EVENTS = ("run",) * 8 + (
    "copied", "loaded", "move", "change", "change", "change", "rest", "cut", "wrong",
    "wrong",
)  # fmt: skip


def case(seed: int, few: bool = False) -> tuple[int, int]:
    """One case; (runs compared, faults seen). Raises AssertionError with its story.

    few: only few loops are compiled, so that it takes seconds.
    """
    one = Case(seed, few)
    try:
        for _ in range(int(one.rng.integers(2, 9))):
            getattr(one, one._pick(EVENTS))()
        one.run()
    except Exception as error:
        told = {
            k: v if not torch.is_tensor(v) else tuple(v.shape)
            for k, v in one.told.items()
        }
        story = f"{type(error).__name__}: {error} | {told} learned "
        story += f"{sorted(one.oracle.learned)} hidden {one.oracle.hidden} "
        story += f"output {one.output} shape {one.shape} | {'; '.join(one.log)}"
        raise AssertionError(story) from error
    return one.runs, one.faults


def many(cases: int, first: int, limit: int = 20, few: bool = False) -> dict:
    """Cases first, first + 1, …: counts, and what failed."""
    told = {"cases": 0, "runs": 0, "faults": 0, "bad": []}
    for seed in range(first, first + cases):
        try:
            runs, faults = case(seed, few)
            told["runs"], told["faults"] = told["runs"] + runs, told["faults"] + faults
        except AssertionError as error:
            told["bad"].append([seed, str(error)])
        told["cases"] += 1
        if len(told["bad"]) >= limit:
            break
    return told


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    began = time.time()
    if len(sys.argv) == 2:  # one seed, with its traceback
        try:
            print(case(int(sys.argv[1])))
        except AssertionError:
            traceback.print_exc()
            sys.exit(1)
    else:
        few = sys.argv[3:] == ["few"]
        told = many(int(sys.argv[1]), int(sys.argv[2]), few=few)
        print(json.dumps(told | {"seconds": round(time.time() - began, 1)}, indent=1))
        sys.exit(bool(told["bad"]))
