"""`make lab`: JupyterLab on the chapters, which open as notebooks by jupytext.

The setting that opens Markdown as a notebook goes into this environment alone,
never into the user's own configuration.
"""

import json
import os
import sys
from pathlib import Path

from lindecay.settings import root
from lindecay.store import write_atomic

VIEWERS = {"markdown": "Jupytext Notebook", "myst": "Jupytext Notebook"}
SETTINGS = {"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": VIEWERS}}


def prepare(prefix: str = sys.prefix) -> Path:
    """Write the setting below the environment; returns the file."""
    folder = Path(prefix) / "etc" / "jupyter" / "labconfig"
    text = json.dumps(SETTINGS, indent=1) + "\n"
    return write_atomic(folder / "default_setting_overrides.json", text)


def command(*more: str) -> list[str]:
    """The command that starts the server on the checkout."""
    ask = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={root()}"]
    return [*ask, "--LabApp.default_url=/lab/tree/book", *more]


if __name__ == "__main__":
    prepare()
    os.execv(sys.executable, command(*sys.argv[1:]))
