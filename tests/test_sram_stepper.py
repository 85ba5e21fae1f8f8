"""The stepper: what it shows is what the array did, and the keyboard drives it."""

import json
import re

from lindecay import sram
from lindecay.sram import Array, microcode


def told() -> dict:
    array = Array(rows=9, columns=4)
    array.bases["W"] = 6
    array.poke("V", [7, 2, -5, -1], bits=6)
    array.poke("W", [3, 3, -4, 2], bits=3)
    array.registers = {"lam": 2, "theta": 5}
    m = microcode
    programs = [m.shrink(4), m.extend(4, 6), m.accumulate(0, 6, 3), m.clamp(4, 6)]
    programs += [m.fire(4), m.reset("subtract", 4)]
    return sram.stepper.record(array, programs, {"V": 6, "W": 3})


def test_frames_hold_the_neurons_of_the_contract():
    frames = told()["frames"]
    last = {f["p"]: f["V"] for f in frames}
    assert last["decay"][0] % 16 == 5  # guard rows are stale until `extend`
    assert last["extend"] == [5, 0, -3, 0]
    assert last["accumulate"] == [8, 3, -7, 2]
    assert [f["G"] for f in frames if f["p"] == "fire"][-1] == "1000"
    assert [v & 15 for v in last["reset"]] == [2, 3, 9, 2]


def test_the_page_stands_without_scripts_and_carries_every_cycle():
    page = sram.stepper.html(told(), "one", "one step", start=9)
    bare = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert bare.count("<tr") == 1 + 9 + len(sram.stepper.LINES)
    assert 'class="go" hidden' in bare
    data = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert json.loads(data[1]) == told()


def test_the_keyboard_steps_through_every_cycle(tmp_path, browser):
    page_file = tmp_path / "stepper.html"
    html = sram.stepper.html(told(), "one", "one step", start=9)
    page_file.write_text(f"<!doctype html><meta charset=utf-8><body>{html}")
    frames, complaints = told()["frames"], []
    page = browser.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(page_file.as_uri())
    page.get_by_label("first cycle").press("Enter")
    for k, frame in enumerate(frames):
        said = page.locator(".told").inner_text()
        assert said.startswith(f"{frame['p']}, cycle {frame['i'] + 1} of")
        top = page.locator("tbody tr").first.locator("td").all_inner_texts()
        assert "".join(top[1:]) == frame["cells"][0], k
        page.get_by_label("one cycle on").press("Enter")
    page.get_by_label("cycle", exact=True).press("ArrowLeft")
    assert "cycle 3 of 4" in page.locator(".told").inner_text()
    page.close()
    assert not complaints
