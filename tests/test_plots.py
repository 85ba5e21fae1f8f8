"""Pictures from tables: what is drawn is what the table holds, in the arms' looks."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lindecay import figures, narrow, plots
from lindecay.networks import ARMS
from lindecay.settings import Fault


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


LONG = pd.DataFrame(
    {
        "arm": ["vlif", "vlif", "ldlif", "ldlif"],
        "bits": [2, 4, 2, 4],
        "accuracy": [50.0, 90.0, 40.0, 88.0],
        "low": [45.0, 85.0, 35.0, 80.0],
        "high": [55.0, 95.0, 45.0, 96.0],
    }
)


def axes_of(picture):
    return picture.figure().axes


def test_every_arm_has_a_look_of_its_own():
    looks = [plots.LOOKS[arm] for arm in ARMS]
    assert [look.label for look in looks] == [arm.label for arm in ARMS.values()]
    assert [look.colour for look in looks] == [arm.colour for arm in ARMS.values()]
    assert len({look.mark for look in looks}) == len(ARMS), (
        "a marker repeats the colour"
    )


def test_long_table_gives_one_line_an_arm_in_its_colour():
    (ax,) = axes_of(plots.curves(LONG, "bits", "accuracy", by="arm"))
    assert [line.get_color() for line in ax.lines] == [figures.EXP, figures.LIN]
    assert [line.get_label() for line in ax.lines] == [
        ARMS[arm].label for arm in ("vlif", "ldlif")
    ]
    assert ax.lines[1].get_ydata().tolist() == [40.0, 88.0]


def test_wide_table_gives_one_line_a_column():
    table = {"step": [0, 1], "exponential": [1, 0.9], "other": [1, 0.5]}
    (ax,) = axes_of(plots.curves(table, "step", guides=[("y", 0)], xlabel="step"))
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines[1:]}
    assert drawn == {"exponential": [1, 0.9], "other": [1, 0.5]}
    assert ax.get_xlabel() == "step"


def test_bounds_are_the_ends_of_the_bars():
    picture = plots.curves(LONG, "bits", "accuracy", by="arm", bounds=("low", "high"))
    (ax,) = axes_of(picture)
    (segments,) = (c.get_segments() for c in ax.containers[0].lines[2])
    assert [s[:, 1].tolist() for s in segments] == [[45.0, 55.0], [85.0, 95.0]]


def test_unknown_column_is_a_fault():
    with pytest.raises(Fault, match="no such column: expected arm, bits"):
        plots.curves(LONG, "bits", "energy", by="arm")


def test_ticks_carry_their_number_or_word():
    (ax,) = axes_of(plots.curves(LONG, "bits", "accuracy", "arm", ticks={2: "two"}))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["two"]


def test_interval_stands_at_its_row_with_single_runs_and_the_paper():
    table = pd.DataFrame({"arm": ["a", "b"], "mean": [1, 2], "low": 0, "high": [3, 4]})
    picture = plots.intervals(table, "arm", each={"b": [1.5]}, printed={"a": 0.5})
    (ax,) = axes_of(picture)
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]
    assert ([0, 3], [0, 0]) in drawn and ([1.5], [1]) in drawn and ([0.5], [0]) in drawn
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "first row on top"


def test_ranges_have_an_axis_each_that_holds_zero_and_all_ends():
    rows = [
        {"claim": "x", "published_low": 2, "published_high": 5}
        | {"ours_low": 1, "ours_high": 1, "interval_low": -1, "interval_high": 3},
        {"claim": "y", "published_low": 2, "published_high": 2}
        | {"ours_low": 1, "ours_high": 1, "interval_low": None, "interval_high": None},
    ]
    first, second = axes_of(plots.ranges(rows, "claim"))
    assert first.get_xlim()[0] < -1 < 5 < first.get_xlim()[1]
    assert second.get_xlim()[0] <= 0 and second.get_xlabel() == "y"


def test_bars_stack_their_parts_and_keep_the_order_of_the_rows():
    table = pd.DataFrame({"layer": ["one", "two"], "update": [1, 2], "merge": [3, 4]})
    (ax,) = axes_of(plots.bars(table, "layer", ["update", "merge"]))
    boxes = [(p.get_x(), p.get_width(), round(p.get_y() + 0.4)) for p in ax.patches]
    assert boxes == [(0, 1, 0), (0, 2, 1), (1, 3, 0), (2, 4, 1)]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["update", "merge"]


def test_tinted_bars_take_the_colour_of_their_row_and_outlines_none():
    rows = [{"n": "a", "kind": "linear", "v": 1, "of": 1, "no": False}]
    rows += [{"n": "b", "kind": "linear", "v": 1, "of": 1, "no": True}]
    picture = plots.bars(rows, "n", ["v", "of"], tint="kind", outlined="no")
    patches = axes_of(picture)[0].patches
    assert patches[0].get_facecolor()[:3] == pytest.approx((0xD5 / 255, 0x5E / 255, 0))
    assert not patches[1].get_fill() and not patches[2].get_fill()


def test_histogram_has_the_edges_of_its_bins():
    (ax,) = axes_of(plots.histogram({"from": [1, 2], "n": [5, 6]}, "from", ["n"], 4))
    values, edges, _ = ax.patches[0].get_data()
    assert values.tolist() == [5, 6] and list(edges) == [1, 2, 4]


def test_columns_are_named_by_their_value():
    (ax,) = axes_of(plots.columns({"lsb": [4, 9], "n": [10, 512]}, "lsb", "n"))
    assert [p.get_height() for p in ax.patches] == [10, 512]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["4", "9"]


def test_images_share_their_colours_and_show_what_they_were_given():
    image = np.array([[0.0, 1.0], [2.0, np.nan]])
    two = plots.maps({"a": image, "b": image}, {"n": [1]}, most=2, across=2, bar="ms")
    axes = axes_of(two)
    assert [ax.get_title() for ax in axes[:2]] == ["a", "b"]
    assert axes[0].images[0].get_clim() == (0, 2) and len(axes) == 3
    extent = (0, 10, 5, 0)
    one = plots.rasters({"a": image[:1]}, {"n": [1]}, most=2, extent=extent)
    shown = axes_of(one)[0].images[0]
    assert tuple(shown.get_extent()) == extent
    assert np.ma.getmaskarray(shown.get_array()).tolist() == [[True, False]]


def test_confusion_says_what_its_colours_mean():
    shares = np.array([[0.81, 0.19], [0.0, 1.0]])
    picture = plots.confusion({"v-LIF": shares}, {0: "zero", 1: "one"}, {"n": [1]})
    first, bar = axes_of(picture)
    assert first.images[0].get_array()[0, 0] == pytest.approx(0.9)
    marks = dict(zip([t.get_text() for t in bar.get_yticklabels()], bar.get_yticks()))
    assert marks["10%"] == pytest.approx(np.sqrt(0.1))


def test_beside_keeps_every_table_once(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_FIGURES", str(tmp_path))
    a = plots.curves(LONG, "bits", "accuracy", by="arm")
    b = plots.curves(LONG, "bits", "low", by="arm")
    plots.beside(a, b, size=(6, 2), sharey=True).show("both")
    assert pd.read_csv(tmp_path / "both.csv").equals(LONG)
    assert {p.suffix for p in tmp_path.iterdir()} == {".csv", ".svg", ".pdf"}


def smallest(path):
    """Pixels of the smallest word of a figure that a phone of 390 px shows."""
    svg = path.read_text()
    wide = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
    sizes = re.findall(r"font(?:-size)?: (?:\w+ )*([\d.]+)px", svg)
    return min(map(float, sizes)) * 342 / wide


def test_a_phone_gets_a_figure_whose_words_it_can_show(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_FIGURES", str(tmp_path))
    left = plots.curves(LONG, "bits", "accuracy", by="arm", ylabel="accuracy (%)")
    plots.beside(left, left, sharey=True, legend="below").show("both")
    assert smallest(tmp_path / "both.svg") < 7
    assert smallest(tmp_path / "both.narrow.svg") >= 10


def test_narrow_panels_stand_below_each_other_with_the_labels_that_they_shared():
    left = plots.curves(LONG, "bits", "accuracy", by="arm", ylabel="accuracy (%)")
    right = plots.curves(LONG, "bits", "low", by="arm")
    fig = narrow.relaid(plots.beside(left, right, sharey=True).figure())
    fig.draw_without_rendering()
    above, below = fig.axes
    assert above.get_position().y0 > below.get_position().y1
    assert below.get_ylabel() == "accuracy (%)"
    assert below.yaxis.get_tick_params()["labelleft"]


@pytest.mark.parametrize("title", ["", "N-MNIST"])
def test_a_narrow_legend_covers_no_curve_and_no_title(title):
    kind = plots.curves(LONG, "bits", "accuracy", by="arm", title=title)
    fig = narrow.relaid(kind.figure())
    fig.draw_without_rendering()
    (ax,) = fig.axes
    legend = ax.get_legend().get_window_extent()
    assert legend.y0 >= ax.get_window_extent().y1
    assert not title or ax.title.get_window_extent().y0 >= legend.y1
    assert legend.y1 <= fig.bbox.y1 and legend.x1 <= fig.bbox.x1


def test_a_narrow_legend_of_a_saved_figure_stays_inside():
    names = ["neuron a: U", "V after the reset", "neuron b: U", "b: V after the reset"]
    table = pd.DataFrame({"step": [0, 1]} | {name: [0, 1] for name in names})
    fig = plots.curves(table, "step").figure()
    fig.savefig(io.BytesIO(), format="pdf")
    narrow.relaid(fig).draw_without_rendering()
    legend = fig.axes[0].get_legend().get_window_extent()
    assert legend.x1 <= fig.bbox.x1 and legend.y1 <= fig.bbox.y1


def test_narrow_pictures_leave_empty_places_out():
    images = {str(k): np.ones((4, 4)) for k in range(6)}
    picture = plots.maps(images, {"n": [1]}, 1, across=4, bar="mean time, ms")
    fig = narrow.relaid(picture.figure())
    fig.draw_without_rendering()
    shown = [ax for ax in fig.axes if ax.images]
    assert len(shown) == 6
    assert {ax.get_subplotspec().get_gridspec().nrows for ax in shown} == {3}


def test_long_names_of_bars_leave_room_for_the_bars():
    rows = [{"name": "single-ended reads, half of the cells hold 1", "energy": 3.0}]
    label = "energy of a bit operation, with all that belongs to it (fJ)"
    fig = narrow.relaid(plots.bars(rows, "name", "energy", xlabel=label).figure())
    fig.draw_without_rendering()
    (ax,) = fig.axes
    assert ax.get_window_extent().width > 0.4 * fig.bbox.width
    shown = (ax.xaxis.label, *ax.get_yticklabels())
    assert all(fig.bbox.x0 <= t.get_window_extent().x0 for t in shown)
    assert all(t.get_window_extent().x1 <= fig.bbox.x1 for t in shown)


def test_own_axes_are_drawn_in_the_style_and_written(tmp_path, monkeypatch):
    monkeypatch.setenv("LINDECAY_FIGURES", str(tmp_path))
    with figures.drawn("mine", {"x": [1, 2]}, columns=2) as (a, b):
        a.plot([1, 2])
        assert not b.spines["top"].get_visible()
    assert (tmp_path / "mine.csv").read_text() == "x\n1\n2\n"
