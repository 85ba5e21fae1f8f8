"""Which law of the array a spiking layer of torch follows, with its parameters.

    snn.Leaky          U = βV + I − θ[V > θ]           exponential, reset late
    beta = 1           U = V + I − …                   none (integrate and fire)
    LinearDecayLIF     its own rule

Values are taken as `forward` uses them (β within [0, 1], a learned λ within [0, θ)).
"""

import numpy as np
import torch

from lindecay.settings import Fault

AGAIN = (
    "snnTorch subtracts θ once more in the step after a spike that left the membrane"
    " above θ; the array subtracts it once a spike"
)


def is_neuron(module) -> bool:
    """Whether a module is a spiking layer of snnTorch's kind."""
    return hasattr(module, "spike_grad") and hasattr(module, "threshold")


def known(module) -> bool:
    """Whether a spiking layer has one state and a rule that the array follows."""
    import snntorch as snn

    from lindecay.neurons import LinearDecayLIF

    return type(module) in (snn.Leaky, snn.RLeaky, LinearDecayLIF)


def rule(module, name: str) -> dict:
    """law, reset, theta, lam, beta, shift and a note: the fields of `ir.Neurons`.

    Raises:
        Fault: names the layer and what has no array form.
    """
    _plain(module, name)
    own = getattr(module, "rule", None)
    found = _leaky(module) if own is None else _linear(module, own, name)
    found["theta"] = real(name, "threshold", module.threshold)
    if (found["theta"] <= 0).any():
        least = float(found["theta"].min())
        raise Fault(f"{name}: threshold", expected="above 0", found=f"{least}")
    reset = module.reset_mechanism
    late = reset == "subtract" and module.reset_delay
    if late and found["law"] == "floor_after":
        raise Fault(
            f"{name}: a late reset behind a floor after the input",
            expected="a reset before the floor, as the array has it",
            found='law="floor_after" with reset_delay=True',
            do="reset_delay=False resets at once",
        )
    if reset == "zero" and module.reset_delay and hasattr(module, "recurrent"):
        raise Fault(
            f"{name}: snn.RLeaky drops all input of the step after a spike",
            expected="a reset that leaves the next step's input alone",
            found='reset_mechanism="zero" with reset_delay=True',
            do="reset_delay=False resets to zero at once",
        )
    found["reset"] = "late" if late else reset
    if late and found["law"] == "none":  # nothing decays in between
        found["reset"] = "subtract"
    if own is None and reset == "subtract" and not module.reset_delay:
        found["note"] = f"{name}: {AGAIN}"
    return found


def _plain(module, name: str) -> None:
    """Fault for what a spike of 0 or 1 from one membrane cannot say."""
    graded = bool((torch.as_tensor(module.graded_spikes_factor) != 1).any())
    odd = {"inhibition": module.inhibition, "graded spikes": graded}
    odd["a quantised state of its own"] = module.state_quant
    for what, there in odd.items():
        if there:
            expected = "spikes of 0 and 1 from one membrane each"
            raise Fault(f"{name}: {what} has no array form", expected=expected)


def _leaky(module) -> dict:
    """β of snn.Leaky and snn.RLeaky, clamped as forward clamps it."""
    beta = real("a neuron", "beta", module.beta).clip(0, 1)
    if (beta == 1).all():
        return {"law": "none"}
    return {"law": "exponential", "beta": beta}


def _linear(module, own, name: str) -> dict:
    """The rule of a LinearDecayLIF."""
    if own.clamp is not None:
        what = f"{name}: a clamp of its own"
        raise Fault(what, expected="none: the grid has one", found=own.clamp)
    _whole_numbers(module, own, name)
    if own.law == "shift":
        if own.rounding != "floor":
            what = f"{name}: a shift that rounds to nearest has no program"
            raise Fault(what, expected='rounding="floor"', found=own.rounding)
        return {"law": "shift", "shift": int(own.shift)}
    if own.law == "exponential":
        beta = real(name, "beta", module._beta_now(torch.zeros(())))
        beta = beta * 2.0 ** -(own.shift or 0)
        return {"law": "none"} if (beta == 1).all() else {"law": own.law, "beta": beta}
    if own.law == "none":
        return {"law": "none"}
    lam, theta = (
        real(name, "lam", module.lam),
        real(name, "threshold", module.threshold),
    )
    if isinstance(module.lam, torch.nn.Parameter):
        lam = real(name, "lam", module._lam_now())
    if (lam < 0).any() or (np.broadcast_to(lam >= theta, np.shape(lam >= theta))).any():
        raise Fault(
            f"{name}: lam", expected="at least 0 and below θ", found=f"{lam.max():g}"
        )
    return {"law": own.law, "lam": lam}


def _whole_numbers(module, own, name: str) -> None:
    """Fault where a decay rounds to whole numbers that the threshold is too small for.

    Below θ = 2^shift a membrane at θ leaks less than the 1 that it is rounded to; the
    array rounds on its own finer grid and would leak.
    """
    if own.shift is None:
        return
    theta = real(name, "threshold", module.threshold)
    off = theta[(theta != np.rint(theta)) | (theta < 2**own.shift)]
    if off.size:
        raise Fault(
            f"{name}: its decay rounds the membrane to whole numbers",
            expected=f"thresholds in whole LSBs, at least 2^{own.shift}",
            found=f"θ = {off.flat[0]:g}",
            do="weights and θ in LSBs; or law='exponential' without shift",
        )


def real(name: str, what: str, value) -> np.ndarray:
    """A parameter as float64; Fault where it is no number."""
    value = torch.as_tensor(value).detach().cpu().double().numpy()
    bad = np.argwhere(~np.isfinite(value))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise Fault(
            f"{name}: {what} is no number",
            expected="finite values",
            found=f"{value[at]} at {list(at)}",
        )
    return value
