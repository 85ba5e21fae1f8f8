"""`make lab`: a real server on loopback opens the chapters and runs one."""

import json
import os
import subprocess
import time
import urllib.request
import uuid

import pytest
import websocket

from conftest import ROOT, chapter_names
from lindecay.results import read
from lindecay.site import lab

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab as `make lab` starts it, without a browser: ask(path, data)."""
    home = tmp_path_factory.mktemp("lab")
    env = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "LINDECAY_STORE": str(home / "store"),
    }
    for name in ("LINDECAY_RESULT_FILE", "LINDECAY_FIGURES", "LINDECAY_CHAPTER"):
        env.pop(name, None)
    words = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.port=0",
        "--ServerApp.ip=127.0.0.1",
    ]
    log = (home / "log").open("w")
    running = subprocess.Popen(lab.command(*words), env=env, stdout=log, stderr=log)
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
    opened = server(f"contents/book/{name}.md?type=notebook")
    kinds = {cell["cell_type"] for cell in opened["content"]["cells"]}
    assert opened["type"] == "notebook" and kinds == {"code", "markdown"}


def test_chapter_runs_with_another_knob_and_publishes_nothing(server):
    published = (ROOT / "_build" / "results").rglob("01_decay.json")
    before = {path: path.read_bytes() for path in published}
    cells = server("contents/book/01_decay.md?type=notebook")["content"]["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert sum("BETA = 0.9" in source for source in code) == 1
    run(server, [source.replace("BETA = 0.9", "BETA = 0.8") for source in code])
    scratch = read(server.home / "store" / "scratch" / "results.json")
    assert scratch["decay.beta"].value == 0.8
    assert scratch["decay.lambda_star"].value == pytest.approx(0.2 / 1.8)
    for path, content in before.items():
        assert path.read_bytes() == content


def run(server, sources):
    """Execute sources in a kernel of the server; the first error fails."""
    kernel = server("kernels", {"name": "python3", "path": "book"})
    url = server.server["url"].replace("http", "ws", 1)
    token = server.server["token"]
    line = websocket.create_connection(
        f"{url}api/kernels/{kernel['id']}/channels?token={token}", timeout=300
    )
    try:
        for source in sources:
            _execute(line, source)
    finally:
        line.close()


def _execute(line, source):
    id = uuid.uuid4().hex
    header = {"msg_id": id, "msg_type": "execute_request", "session": id}
    header |= {"username": "", "version": "5.3"}
    content = {"code": source, "silent": False, "stop_on_error": True}
    message = {"channel": "shell", "header": header, "parent_header": {}}
    line.send(json.dumps(message | {"metadata": {}, "content": content}))
    while True:
        got = json.loads(line.recv())
        if got["msg_type"] == "execute_reply" and got["parent_header"]["msg_id"] == id:
            assert got["content"]["status"] == "ok", got["content"]
            return
