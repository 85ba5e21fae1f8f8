"""`make lab`: a real server on loopback opens copies of the chapters and runs one."""

import json
import os
import subprocess
import time
import urllib.request
import uuid

import pytest
import websocket

from conftest import ROOT, chapter_names
from lindecay.results import Result, read, save
from lindecay.site import chapters, lab
from lindecay.site.place import Build

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab as `make lab` starts it, without a browser: ask(path, data)."""
    home = tmp_path_factory.mktemp("lab")
    lab.copies(home / "copies", fresh=True)
    env = os.environ | {
        "LINDECAY_LAB": "1",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "LINDECAY_STORE": str(home / "store"),
    }
    for name in ("LINDECAY_RESULT_FILE", "LINDECAY_FIGURES", "LINDECAY_CHAPTER"):
        env.pop(name, None)
    words = ["--no-browser", "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1"]
    log = (home / "log").open("w")
    running = subprocess.Popen(
        lab.command(*words, home=home / "copies"), env=env, stdout=log, stderr=log
    )
    try:
        yield _asker(home, running)
    finally:
        running.terminate()
        running.wait(30)
        log.close()


def _asker(home, running):
    for _ in range(240):
        found = list((home / "runtime").glob("jpserver-*.json"))
        told = found and found[0].read_text()
        if told:
            break
        assert running.poll() is None, (home / "log").read_text()
        time.sleep(0.5)
    server = json.loads(told)

    def ask(path, data=None):
        request = urllib.request.Request(
            f"{server['url']}api/{path}",
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"token {server['token']}"},
        )
        for attempt in range(20):  # the file is there a moment before the port
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except ConnectionError:
                time.sleep(0.5 * (attempt + 1))
        raise AssertionError("the server does not answer")

    ask.home, ask.server = home, server
    return ask


@pytest.mark.parametrize("name", chapter_names())
def test_chapter_opens_as_a_notebook(server, name):
    opened = server(f"contents/{name}.ipynb")
    cells = opened["content"]["cells"]
    assert opened["type"] == "notebook"
    assert {cell["cell_type"] for cell in cells} == {"code", "markdown"}
    prose = "\n".join(c["source"] for c in cells if c["cell_type"] == "markdown")
    assert not lab.values.IN_TEXT.search(prose) and "```{show" not in prose


def test_chapter_runs_with_another_knob_and_publishes_nothing(server):
    published = (ROOT / "_build" / "results").rglob("01_decay.json")
    before = {path: path.read_bytes() for path in published}
    sources = {path: path.read_bytes() for path in (ROOT / "book").glob("*.md")}
    cells = server("contents/01_decay.ipynb")["content"]["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert sum("BETA = 0.9" in source for source in code) == 1
    told = run(server, [c.replace("BETA = 0.9", "BETA = 0.8") for c in code])
    published = Build(ROOT / "_build", "quick").published["decay.lambda_star"]
    line = f"decay.lambda_star: published {published.text()}, yours 0.1111"
    assert line in told.splitlines()
    scratch = read(server.home / "store" / "scratch" / "results.json")
    assert scratch["decay.beta"].value == 0.8
    assert scratch["decay.lambda_star"].value == pytest.approx(0.2 / 1.8)
    for path, content in (before | sources).items():
        assert path.read_bytes() == content


@pytest.fixture
def build(tmp_path):
    """A build in which one number was published."""
    made = Build(tmp_path, "quick")
    made.results.mkdir(parents=True)
    row = Result(id="decay.beta", value=0.95, chapter="01_decay")
    save(made.results / "01_decay.json", {row.id: row})
    return made


def test_prose_of_a_copy_shows_values_captions_and_boxes(build):
    text = "β is {result}`decay.beta|.3f`.\n\n"
    text += "```{show} decay-laws\n:alt: x\nThe laws.\n```"
    told = lab.readable(text + "\n\n{result}`no.such`", build)
    assert "β is 0.950." in told and "`no.such`" in told
    assert "*Figure `decay-laws`, drawn by the cell above:* The laws." in told
    box = lab.readable("```{admonition} Title\n:class: note\nWords\nmore.\n```", build)
    assert box == "> **Title**\n>\n> Words\n> more."


def test_an_edited_copy_is_kept_and_the_others_are_renewed(tmp_path, monkeypatch):
    target = tmp_path / "copies"
    assert lab.copies(target) == []
    mine, other = target / "01_decay.ipynb", target / "02_neuron.ipynb"
    mine.write_text(mine.read_text().replace("BETA = 0.9", "BETA = 0.7"))
    other_before = other.read_bytes()
    assert lab.copies(target) == ["01_decay.ipynb"]
    assert "BETA = 0.7" in mine.read_text() and other.read_bytes() == other_before
    assert lab.copies(target, fresh=True) == [] and "BETA = 0.9" in mine.read_text()


def test_start_page_names_every_notebook_and_its_knobs():
    told = lab.start()
    rows = [line for line in told.splitlines() if line.startswith("| [")]
    assert len(rows) == len(chapter_names())
    assert any("01_decay.ipynb" in row and "`BETA = 0.9`" in row for row in rows)
    assert all((ROOT / c.path).exists() for c in chapters.chapters(ROOT))


def test_server_starts_as_root_too(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--allow-root" in lab.command()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--allow-root" not in lab.command()


def run(server, sources):
    """Execute sources in a kernel of the server; what it printed."""
    kernel = server("kernels", {"name": "python3", "path": ""})
    url = server.server["url"].replace("http", "ws", 1)
    token = server.server["token"]
    line = websocket.create_connection(
        f"{url}api/kernels/{kernel['id']}/channels?token={token}", timeout=300
    )
    try:
        return "".join(_execute(line, source) for source in sources)
    finally:
        line.close()


def _execute(line, source):
    id = uuid.uuid4().hex
    header = {"msg_id": id, "msg_type": "execute_request", "session": id}
    header |= {"username": "", "version": "5.3"}
    content = {"code": source, "silent": False, "stop_on_error": True}
    message = {"channel": "shell", "header": header, "parent_header": {}}
    line.send(json.dumps(message | {"metadata": {}, "content": content}))
    printed = []
    while True:
        got = json.loads(line.recv())
        if got["msg_type"] == "stream" and got["content"]["name"] == "stdout":
            printed.append(got["content"]["text"])
        if got["msg_type"] == "execute_reply" and got["parent_header"]["msg_id"] == id:
            assert got["content"]["status"] == "ok", got["content"]
            return "".join(printed)
