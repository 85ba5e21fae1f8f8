"""The project's own files agree with each other."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import cell_checks
from conftest import ROOT
from lindecay.site import lab, lock
from lindecay.site.doctor import browser, examine

PINS = lock.pins((ROOT / "requirements.lock").read_text())


class OneKey(yaml.SafeLoader):
    """YAML in which a key may stand once: the later one would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = {str(k) for k in keys if keys.count(k) > 1}
        if doubled:
            raise ValueError(f"twice in {node.start_mark}: {', '.join(doubled)}")
        return super().construct_mapping(node, deep)


def yaml_files() -> list[Path]:
    files = [*ROOT.glob("*.yml"), *ROOT.glob("*.cff"), *(ROOT / "data").rglob("*.yml")]
    return sorted(files + list((ROOT / ".github").rglob("*.yml")))


@pytest.mark.parametrize("path", yaml_files(), ids=lambda p: p.name)
def test_no_yaml_key_stands_twice(path):
    assert yaml.load(path.read_text(), OneKey)


def test_doubled_key_is_found():
    with pytest.raises(ValueError, match="twice"):
        yaml.load("execute: a\nexecute: b\n", OneKey)


def test_environment_and_lock_are_in_step():
    wanted = lock.environment_text((ROOT / "requirements.lock").read_text())
    assert (ROOT / "environment.yml").read_text() == wanted, "run `make lock`"


def test_lock_holds_exact_versions_without_local_tags():
    assert all(re.fullmatch(r"[\w.!]+", version) for version in PINS.values())
    assert int(PINS["jupyter-book"].split(".")[0]) == 1, "2 ignores _config.yml"
    assert PINS["soupsieve"] == "2.10", "4 does not install on every 3.11"


def test_lock_holds_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = list(project["dependencies"])
    asked += [w for words in project["optional-dependencies"].values() for w in words]
    names = {re.match(r"[\w.-]+", word)[0].lower().replace("_", "-") for word in asked}
    held = {name.lower().replace("_", "-") for name in PINS}
    assert names <= held | {"lindecay"}


def test_imports_only_from_above():
    import os

    ask = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
    ]
    done = subprocess.run(
        [*ask, "--no-cache"], cwd=ROOT, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0 and " kept, 0 broken" in done.stdout, done.stdout


def test_configuration_names_pages_that_exist():
    from lindecay.site import chapters

    assert all((ROOT / f"{page}.md").exists() for page in chapters.pages(ROOT))
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["execute"]["allow_errors"] is False
    assert config["sphinx"]["config"]["nb_execution_raise_on_error"] is True


def test_every_chapter_has_a_header_that_opens_as_a_notebook():
    import jupytext

    for path in sorted((ROOT / "book").glob("[0-9]*.md")):
        text = path.read_text()
        if "kernelspec:" not in text.split("\n---", 1)[0]:
            continue
        notebook = jupytext.read(path)
        assert "formats" not in notebook.metadata.get("jupytext", {}), path.name
        assert any("parameters" in c.metadata.get("tags", []) for c in notebook.cells)
        too_wide = [
            line
            for cell in cell_checks.cells_of(notebook)
            for line in cell.code.splitlines()
            if len(line) > (65 if cell.shown else 88)
        ]
        assert not too_wide, f"{path.name}: {too_wide}"


def test_committed_files_are_small_and_name_no_place_of_one_machine():
    ask = ["git", "ls-files", "-z"]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True)
    names = [n for n in done.stdout.split("\0") if n and (ROOT / n).is_file()]
    assert not [n for n in names if (ROOT / n).stat().st_size > 3_000_000]


def test_doctor_looks_at_everything_and_tells_what_to_do():
    found = {check.name: check for check in examine()}
    assert {"Python", "torch", "recordings", "store", "disk", "memory"} <= found.keys()
    assert all(check.good or check.do for check in found.values())


def test_doctor_finds_a_package_that_is_missing():
    from lindecay.site.doctor import _package

    check = _package("no-such-package", "make setup")
    assert not check.good and "make setup" in str(check)


def test_browser_can_be_named(monkeypatch):
    monkeypatch.setenv("LINDECAY_BROWSER", "/own/chromium")
    assert browser() == "/own/chromium"


def test_lab_opens_its_start_page_as_a_page_in_this_environment_only(tmp_path):
    path = lab.prepare(str(tmp_path))
    assert tmp_path in path.parents and "Markdown Preview" in path.read_text()


def test_makefile_has_its_targets():
    text = (ROOT / "Makefile").read_text()
    for target in ("setup", "book", "test", "lab", "view"):
        assert re.search(rf"^{target}:", text, re.M)


def test_makefile_names_no_host():
    named = [(ROOT / n).read_text() for n in ("Makefile", ".ci/run", "environment.yml")]
    assert not re.search(r"https?://(?!127\.0\.0\.1)", "".join(named))


@pytest.mark.parametrize(
    "command", ["run", "train", "prove", "check", "bench", "doctor"]
)
def test_help_has_an_example(command):
    from typer.testing import CliRunner

    from lindecay.cli import app

    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0 and f"lindecay {command}" in told.output


def test_old_python_is_told_in_one_clear_line(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    target = ".venv/.lindecay-ready"
    ask = ["make", "-B", target, f"PYTHON={old}"]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode and "lindecay needs Python 3.11 or newer" in done.stdout


def test_workflow_calls_only_make():
    text = (ROOT / ".github" / "workflows" / "book.yml").read_text()
    steps = [s for job in yaml.safe_load(text)["jobs"].values() for s in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands and all(c.startswith("make ") for c in commands)


def test_everything_public_says_what_it_is():
    bare = []
    for path in (ROOT / "lib").rglob("*.py"):
        tree = ast.parse(path.read_text())
        kinds = (ast.FunctionDef, ast.ClassDef)
        for node in [tree, *(n for n in tree.body if isinstance(n, kinds))]:
            name = getattr(node, "name", "module")
            if not name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{path.name}: {name}")
    assert not bare
