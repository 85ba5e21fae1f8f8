"""The array as hardware: Verilog-2005 from the emulator's microcode, checked in Icarus.

emulator   the emulator's names that hardware is built from, in one place
words      a line of microcode as a word of a ROM; the language as a header
layer      one layer: its Verilog and the images of its memories
bench      the testbench that checks itself against the emulator's images
icarus     compile and run
project    the folder that anybody can simulate
check      hardware against emulator: `prove`
treelayer  layout C: an adder tree below the weights
mutants    one wrong line each
waves      the waveform against the stepper's trace
picture    one column and its waveform, drawn
"""

from pathlib import Path

import numpy as np

from lindecay import events, sram, training
from lindecay.quantization import Checkpoint
from lindecay.rtl import (
    check,
    icarus,
    mutants,
    picture,
    project,
    treelayer,
    waves,
    words,
)
from lindecay.rtl.check import prove
from lindecay.settings import Fault
from lindecay.training import speech

__all__ = [
    "check",
    "icarus",
    "mutants",
    "picture",
    "project",
    "prove",
    "treelayer",
    "waves",
    "words",
    "written",
]


def written(
    checkpoint: str, out: str, clips: int = 1, steps: int = 0, vcd: bool = False
) -> dict:
    """What `lindecay rtl` does: a network and clips of its own data set as a folder.

    Args:
        checkpoint: path of an integer checkpoint.
        out: a folder that is not there yet.
        clips: test clips whose every state the testbench shall check.
        steps: only so many steps of the first clip; 0 for all steps.
        vcd: run it at once and keep the waveform.

    Raises:
        Fault: one line for a bad checkpoint, folder or network; nothing is written.
    """
    if not 1 <= clips <= 100:
        raise Fault("clips", expected="1 to 100", found=clips)
    ck, seen = _read(checkpoint, clips)
    if steps:
        ck, seen = check.first_steps(ck, seen, steps)
    made = project.network(ck, seen)
    told = {"folder": str(out), "clips": len(seen), "layers": len(made.layers)}
    told |= {"source": seen.source, "files": len(made.files) + len(project.FILES)}
    if not vcd:
        project.write(made, Path(out))
        return told
    if not icarus.available():
        icarus.call(["iverilog"], Path(), "iverilog")
    return told | check.report([check.simulate(made, "+vcd", keep=Path(out))], clips)


def _read(checkpoint: str, clips: int):
    """A checkpoint and test clips of the set that it was trained on."""
    if not Path(checkpoint).is_file():
        raise Fault("no such checkpoint", expected="an .npz", found=checkpoint)
    ck = Checkpoint.load(Path(checkpoint))
    seen = clips_of(ck)
    return ck, seen.subset(np.arange(min(clips, len(seen))))


def clips_of(ck: Checkpoint) -> events.Clips:
    """Test clips for a network: of its set where shapes agree, else random spikes.

    Random ones are stamped `stand-in`: one clip, one input in twenty a step.
    """
    sets = {"nmnist": training.clips_for, "shd": speech.clips_for}
    name = (ck.meta.get("data") or {}).get("name")
    if name in sets:
        found = sets[name]("quick", "test")
        if (found.channels, found.steps) == (ck.layers[0].inputs, ck.steps):
            return found
    return sram.growth.random_clip(ck, max(1, ck.layers[0].inputs // 20))
