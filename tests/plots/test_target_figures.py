import json
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from dvc_render.vega import VegaRenderer
from matplotlib.figure import Figure
from PIL import Image

from evergreen.core.evaluation.curves import ScoredRows, plot_rows
from evergreen.core.evaluation.losses import Outcomes
from evergreen.core.evaluation.model_names import MODEL_ORDER
from evergreen.plots.figures import write_png
from evergreen.plots.replay_figure import LOOKS
from evergreen.plots.target_figures import STYLES, draw_target

TEMPLATES = Path(__file__).parents[2] / ".dvc" / "plots"
AXES = {
    "roc": ("false_positive_rate", "true_positive_rate"),
    "calibration": ("predicted", "observed"),
    "gains": ("contacted_share", "captured_share"),
}
OTHER_AXES = {"slices": ("gain", "band"), "replay": ("week", "gain")}


def scored(rows=400):
    rng = np.random.default_rng(5)
    chance = rng.random(rows)
    bought = (rng.random(rows) < chance).astype(float)
    spend = bought * rng.gamma(0.5, 300, rows)
    models = {"full": chance, "champion": chance**2, "base_rate": np.full(rows, 0.5)}
    amounts = {name: 100 * prediction for name, prediction in models.items()}
    clients = np.arange(rows) // 2
    return {
        "purchase": ScoredRows(Outcomes("binary", bought, clients), models),
        "clv": ScoredRows(Outcomes("regression", spend, clients), amounts),
    }


ROWS = plot_rows(scored())


def draw(path, *, target="purchase", kind="binary", rows=ROWS, subtitle="kept", **more):
    write_png(draw_target(target, kind, rows, subtitle=subtitle, **more), path)
    return path


@pytest.fixture
def texts(monkeypatch):
    """Every text of the figures that are saved, instead of the files."""
    seen = []

    def collect(figure, *_args, **_kwargs):
        seen.extend(text.get_text() for text in figure.findobj(mpl.text.Text))

    monkeypatch.setattr(Figure, "savefig", collect)
    return seen


@pytest.mark.parametrize(("target", "kind"), [("purchase", "binary"), ("clv", "regression")])
def test_picture_has_the_same_bytes_whenever_it_is_drawn(tmp_path, target, kind):
    first = draw(tmp_path / "a.png", target=target, kind=kind)
    second = draw(tmp_path / "b.png", target=target, kind=kind)

    assert first.read_bytes() == second.read_bytes()


def test_picture_is_1500_pixels_wide_and_carries_no_metadata(tmp_path):
    with Image.open(draw(tmp_path / "new" / "folder" / "a.png")) as picture:
        assert picture.width == 1500
        assert set(picture.info) <= {"dpi"}


def test_title_names_target_and_verdict(tmp_path, texts):
    draw(tmp_path / "a.png", subtitle="kept: gain +0.31 %")

    assert {"purchase: held-out clients", "kept: gain +0.31 %"} <= set(texts)


def test_long_verdict_is_broken_into_lines_on_a_taller_picture(tmp_path):
    short = draw(tmp_path / "short.png", subtitle="kept")
    long = draw(tmp_path / "long.png", subtitle="kept: too few rows. " * 20)

    with Image.open(short) as one, Image.open(long) as four:
        assert four.height > one.height


def test_dollars_in_a_verdict_are_money_and_not_mathematics(tmp_path):
    assert draw(tmp_path / "a.png", subtitle="worth $0.2_ to $0.4^ a client").is_file()


def test_roc_legend_shows_the_reported_auc(tmp_path, texts):
    draw(tmp_path / "a.png", auc={"champion": 0.81234, "full": None})

    assert {"0.812  champion", "n/a  full"} <= set(texts)


def test_without_a_reported_auc_two_decimals_come_from_the_points(tmp_path, texts):
    draw(tmp_path / "a.png")

    assert "0.50  base_rate" in texts


def test_regression_has_no_roc_panel(tmp_path, texts):
    draw(tmp_path / "a.png", target="clv", kind="regression")

    assert "ROC" not in texts
    assert {"Calibration", "Cumulative gains"} <= set(texts)


@pytest.mark.parametrize(
    ("kind", "words", "panels"), [("binary", "one class", 3), ("regression", "one value", 2)]
)
def test_panels_without_rows_say_so_in_words(tmp_path, texts, kind, words, panels):
    draw(tmp_path / "a.png", target="missing", kind=kind)

    assert sum(words in text for text in texts) == panels


def test_bins_without_an_interval_and_unknown_models_are_drawn(tmp_path):
    rows = plot_rows(
        {
            "clv": ScoredRows(
                Outcomes("regression", [0, 0, 25_000], ["a", "b", "c"]), {"mine": [0.0, 1, 3e6]}
            )
        }
    )

    assert draw(tmp_path / "a.png", target="clv", kind="regression", rows=rows).is_file()


def test_drawing_needs_no_pyplot_and_no_global_setting(tmp_path):
    code = f"""
import sys, pathlib, matplotlib
from evergreen.core.evaluation.curves import ScoredRows, plot_rows
from evergreen.core.evaluation.losses import Outcomes
from evergreen.plots.figures import write_png
from evergreen.plots.target_figures import draw_target
before = matplotlib.rcParams.copy()
outcomes = Outcomes("binary", [0, 1], ["a", "b"])
rows = plot_rows({{"churn": ScoredRows(outcomes, {{"full": [0.1, 0.2]}})}})
path = pathlib.Path({str(tmp_path / "a.png")!r})
write_png(draw_target("churn", "binary", rows), path)
assert path.is_file()
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_known_model_differs_in_colour_dash_and_marker():
    assert tuple(STYLES) == MODEL_ORDER
    for looks in list(zip(*STYLES.values(), strict=True))[:3]:
        assert len(set(looks)) == len(STYLES)


def fill(name, datapoints):
    x, y = (AXES | OTHER_AXES)[name]
    renderer = VegaRenderer(
        datapoints, name, template=name, template_dir=str(TEMPLATES), x=x, y=y, title="A title"
    )
    return renderer.get_filled_template()


def channels(node, name):
    """All encodings of a channel by model, wherever they stand in a template."""
    if isinstance(node, list):
        return [found for item in node for found in channels(item, name)]
    if not isinstance(node, dict):
        return []
    own = [node[name]] if isinstance(node.get(name), dict) and "scale" in node[name] else []
    return own + [found for item in node.values() for found in channels(item, name)]


@pytest.mark.parametrize("name", AXES)
def test_dvc_fills_every_anchor_of_a_template(name):
    table = getattr(ROWS, name).astype(str).assign(rev="workspace")
    filled = fill(name, table.to_dict("records"))

    assert "DVC_METRIC" not in json.dumps(filled)
    assert filled["data"]["values"][0]["rev"] == "workspace"
    assert filled["title"]["text"] == "A title"


@pytest.mark.parametrize("name", AXES)
def test_template_reads_the_columns_of_its_table_as_numbers(name):
    numbers = json.loads((TEMPLATES / f"{name}.json").read_text())["data"]["format"]["parse"]

    assert list(numbers) == getattr(ROWS, name).columns[2:].tolist()


@pytest.mark.parametrize("name", AXES)
def test_template_has_the_models_and_colours_of_the_pictures(name):
    template = json.loads((TEMPLATES / f"{name}.json").read_text())

    assert [channel["scale"] for channel in channels(template, "color")] == [
        {
            "domain": list(MODEL_ORDER),
            "range": [style.colour for style in STYLES.values()],
        }
    ]
    assert channels(template, "strokeDash")[0]["scale"]["domain"] == list(MODEL_ORDER)


@pytest.mark.parametrize(
    ("name", "looks", "who"),
    [("slices", STYLES, ("incremental", "full")), ("replay", LOOKS, tuple(LOOKS))],
)
def test_templates_of_slices_and_replays_are_filled_and_coloured_as_pictures(name, looks, who):
    filled = fill(name, [{"rev": "workspace", "target": "clv"} | dict.fromkeys(OTHER_AXES[name])])

    assert "DVC_METRIC" not in json.dumps(filled)
    expected = {"domain": list(who), "range": [looks[one][0] for one in who]}
    assert all(channel["scale"] == expected for channel in channels(filled, "color"))
