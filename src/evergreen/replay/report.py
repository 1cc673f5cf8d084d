"""A replay as a table, a picture, a page and rows for DVC plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from rich.table import Table

from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.errors import DataError
from evergreen.plots.pages import embedded, write_page
from evergreen.plots.replay_figure import draw_replay
from evergreen.replay.policies import POLICIES
from evergreen.replay.recommend import recommend
from evergreen.replay.results import (
    BASIS,
    outcomes,
    summarise,
    weekly,
)
from evergreen.store import files
from evergreen.store.rounding import rounded

# Columns of the tables by their place: two tables on a page, and those that fit a terminal.
PARTS = ((0, 1, 2, 3, 4, 5), (0, 6, 7, 8, 9, 10, 11, 12, 13))
FOR_TERMINAL = (0, 1, 2, 3, 4, 8, 9, 10, 11, 13)
JUDGED = 2
WEEKLY = {"x": "week", "y": "gain", "template": "replay", "title": "Replay: gain over never"}
PLOTS = {"plots": [{"weekly.csv": WEEKLY}]}

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from rich.console import RenderableType

    from evergreen.replay.results import Replayed
    from evergreen.replay.scenario import Scenario


def write_report(
    folder: Path,
    scenario: Scenario,
    replayed: Mapping[str, Replayed],
    labels: pd.DataFrame,
    *,
    budget: float,
) -> Iterator[RenderableType]:
    """Write ``replay.html``, ``.md``, ``.png``, ``.json`` and ``weekly.csv`` into a folder.

    A ``dvc.yaml`` beside them lets ``dvc plots`` show the weeks; that of the pipeline can't name
    them, as DVC complains of plots that are not there.

    Parameters
    ----------
    replayed, labels
        As `evergreen.replay.workers.replay` gives them.
    budget
        The share of clients that can be contacted.

    Yields
    ------
    str or Table
        What to show at a terminal.

    Raises
    ------
    DataError
        If no prediction has met its outcome.
    """
    settings = scenario.settings
    found = outcomes(settings, replayed, labels)
    if not found:
        raise DataError(
            f"no prediction of any target has met its outcome by {scenario.through}",
            "a later --to, or an earlier --from",
        )
    summary = summarise(settings, replayed, found, budget=budget)
    weeks = weekly(settings, found)
    losses = {name: LOSS_NAME[settings.targets[name].kind] for name in found}
    advice = recommend(settings, summary, found)
    files.write_csv(weeks.round(6), folder / "weekly.csv")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PLOTS, sort_keys=False), encoding="utf-8")
    lines = rounded(_records(summary.drop(columns="seconds")))
    files.write_json({"advice": advice, "policies": lines}, folder / "replay.json")
    picture = folder / "replay.png"
    draw_replay(picture, weeks, loss_names=losses, promoted=_promoted(replayed))
    content: dict[str, Any] = {
        "title": f"Replay: {scenario.dates[0]} to {scenario.through}",
        "subtitle": _subtitle(scenario, summary),
        "advice": advice,
        "tables": [
            _table(name, losses[name], summary[summary["target"] == name], budget) for name in found
        ],
        "terms": _terms(budget),
        "parts": PARTS,
        "judged": JUDGED,
    }
    write_page(folder / "replay.md", "replay.md.jinja", picture=picture.name, **content)
    html = folder / "replay.html"
    write_page(html, "replay.html.jinja", picture=embedded(picture), **content)
    for table in content["tables"]:
        yield _for_terminal(table)
    yield from advice
    yield f"page: {html}, picture: {picture}, rows: {folder / 'weekly.csv'}"


def _promoted(replayed: Mapping[str, Replayed]) -> dict[tuple[str, str], list[str]]:
    days: dict[tuple[str, str], list[str]] = {}
    for policy, one in replayed.items():
        for record in one.records:
            for target, decided in record["targets"].items():
                if decided["promoted"]:
                    days.setdefault((target, policy), []).append(record["as_of"])
    return days


def _subtitle(scenario: Scenario, summary: pd.DataFrame) -> str:
    rows = ", ".join(
        f"{line.target} {line.rows:,}" for line in summary.drop_duplicates("target").itertuples()
    )
    early = [name for name in scenario.settings.targets if name not in set(summary["target"])]
    unjudged = f" No outcome is known yet for {', '.join(early)}." if early else ""
    return (
        f"{len(scenario.dates)} runs of each policy. Judged on predictions made before their "
        f"outcome existed ({rows}), by their release of that day, of all clients.{unjudged}"
    )


def _table(target: str, loss: str, summary: pd.DataFrame, budget: float) -> dict[str, Any]:
    binary = loss == "log_loss"
    reached = "buyers reached" if binary else f"spend of the top {budget:.0%}"
    score = ("AUC", "roc_auc") if binary else ("MAE", "mae")
    columns = [
        "policy", loss.replace("_", " "), "gain over never", "95 % interval", score[0],
        "predicted / happened", reached, "more than never", "promoted", "right", "wrong", "missed",
        "labels trained on", "seconds",
    ]  # fmt: skip
    if binary:
        columns[6] = f"label 1 in top {budget:.0%}"
    rows = [{"cells": _cells(line, score[1]), "mood": _mood(line)} for line in _records(summary)]
    return {"title": target, "columns": columns, "rows": rows}


def _records(summary: pd.DataFrame) -> list[dict[str, Any]]:
    lines = summary.to_dict("records")
    return [{str(k): None if v != v else v for k, v in line.items()} for line in lines]  # noqa: PLR0124 - NaN


def _cells(line: dict[str, Any], score: str) -> list[str]:
    basis = line["policy"] == BASIS
    measured = line[score]
    ratio = line["mean_prediction"] / line["mean_label"] if line["mean_label"] else float("nan")
    return [
        line["policy"],
        f"{line['loss']:.4f}",
        "" if basis else f"{line['gain']:+.2%}",
        "" if basis else f"{100 * line['low']:+.2f} to {100 * line['high']:+.2f} %",
        "" if measured is None else f"{measured:.4g}",
        f"{ratio:.3f}",
        f"{line['captured']:,.0f}",
        ""
        if basis
        else f"{line['extra']:+,.0f} ({line['extra_low']:+,.0f} to {line['extra_high']:+,.0f})",
        *(str(line[name]) for name in ("promoted", "right", "wrong", "missed")),
        f"{line['rows_trained']:,}",
        f"{line['seconds']:,.0f}",
    ]


def _mood(line: dict[str, Any]) -> str:
    return "good" if line["low"] > 0 else "bad" if line["high"] < 0 else ""


def _for_terminal(table: dict[str, Any]) -> Table:
    """The columns that fit: the page has the others."""
    made = Table(title=table["title"], title_justify="left")
    for column in FOR_TERMINAL:
        side = "right" if column else "left"
        made.add_column(table["columns"][column], justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row in table["rows"]:
        made.add_row(*(row["cells"][column] for column in FOR_TERMINAL))
    return made


def _terms(budget: float) -> list[tuple[str, str]]:
    return [
        *((name, policy.words) for name, policy in POLICIES.items()),
        (
            "gain over never",
            (
                "how much smaller the loss is than with the first model kept for ever; its "
                "interval counts clients, not rows. The advice allows for the number of "
                "comparisons as well."
            ),
        ),
        (
            "right, wrong, missed",
            (
                "promotions that the four weeks after them prove better or worse than the model "
                "they replaced, and candidates that were left although they prove better; the "
                "others can't be told from chance."
            ),
        ),
        (
            f"top {budget:.0%}",
            (
                f"what the {budget:.0%} of each day's clients with the highest prediction did: the "
                "clients whom one would contact first."
            ),
        ),
    ]
