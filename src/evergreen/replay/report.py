"""The report of a replay: tables, a picture, a page and rows for DVC plots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.table import Table

from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.errors import DataError
from evergreen.history.tables import columns
from evergreen.plots.pages import embedded, write_page
from evergreen.plots.replay_figure import draw_replay
from evergreen.replay.policies import POLICIES
from evergreen.replay.recommend import recommend
from evergreen.replay.results import (
    BASIS,
    PolicyResult,
    match_outcomes,
    summarise,
    weekly_figures,
)
from evergreen.report.components import (
    DASH,
    Cell,
    PageTable,
    gain_cells,
    number,
    share,
)
from evergreen.store import files

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

    from evergreen.replay.scenario import Scenario

# Columns by their place: those of the two tables of the page, and those that fit a terminal.
QUALITY, COST = (0, 1, 2, 3, 4), (0, 5, 6, 7, 8, 9, 10, 11, 12)
TERMINAL = (0, 1, 2, 3, 7, 8, 9, 10, 12)
WEEKLY = {"x": "week", "y": "gain", "template": "replay", "title": "Replay: gain over never"}
PLOTS = {"plots": [{"weekly.csv": WEEKLY}]}


def write_report(
    folder: Path,
    scenario: Scenario,
    results: Mapping[str, PolicyResult],
    labels: pd.DataFrame,
    *,
    budget: float,
) -> Iterator[RenderableType]:
    """Write ``replay.html``, ``.md``, ``.png``, ``.json`` and ``weekly.csv`` into a folder.

    A ``dvc.yaml`` beside them lets ``dvc plots`` show the weeks. The pipeline's own can't name
    them, as DVC warns about plots that do not exist.

    Parameters
    ----------
    results, labels
        From `evergreen.replay.workers.replay`.
    budget
        The share of clients that can be contacted.

    Yields
    ------
    str or Table
        What to show in a terminal.

    Raises
    ------
    DataError
        If no outcome of a prediction is known.
    """
    settings = scenario.settings
    outcomes = match_outcomes(settings, results, labels)
    if not outcomes:
        raise DataError(
            f"no outcome of a prediction is known by {scenario.through}",
            "choose a later --to, or an earlier --from",
        )
    summary = summarise(settings, results, outcomes, budget=budget)
    weeks = weekly_figures(settings, outcomes)
    losses = {name: LOSS_NAME[settings.targets[name].kind] for name in outcomes}
    advice = recommend(settings, summary, outcomes)
    files.write_csv(weeks.round(6), folder / "weekly.csv")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PLOTS, sort_keys=False), encoding="utf-8")
    lines = files.rounded(_lines(summary.drop(columns="seconds")))
    files.write_json({"advice": advice, "policies": lines}, folder / "replay.json")
    picture = folder / "replay.png"
    draw_replay(picture, weeks, loss_names=losses, promoted=_promotion_days(results))
    tables = {
        name: _table(losses[name], _lines(summary[summary["target"] == name]), budget)
        for name in outcomes
    }
    content: dict[str, Any] = {
        "title": f"Replay: {scenario.dates[0]} to {scenario.through}",
        "subtitle": _subtitle(scenario, summary),
        "advice": advice,
        "targets": {n: [_select(t, QUALITY), _select(t, COST)] for n, t in tables.items()},
        "terms": _terms(results, share(budget, 0)),
    }
    write_page(folder / "replay.md", "replay.md.jinja", picture=picture.name, **content)
    html = folder / "replay.html"
    write_page(html, "replay.html.jinja", picture=embedded(picture), **content)
    for name, table in tables.items():
        yield _for_terminal(name, _select(table, TERMINAL))
    yield from advice
    yield f"page: {html}, picture: {picture}, rows: {folder / 'weekly.csv'}"


def _promotion_days(results: Mapping[str, PolicyResult]) -> dict[tuple[str, str], list[str]]:
    days: dict[tuple[str, str], list[str]] = {}
    for policy, result in results.items():
        for record in result.records:
            for target, decided in record["targets"].items():
                if decided["promoted"]:
                    days.setdefault((target, policy), []).append(record["as_of"])
    return days


def _lines(summary: pd.DataFrame) -> list[dict[str, Any]]:
    lines = summary.to_dict("records")
    return [{str(k): None if v != v else v for k, v in line.items()} for line in lines]  # noqa: PLR0124 - NaN


def _table(loss: str, lines: list[dict[str, Any]], budget: float) -> PageTable:
    """Return all columns of a target's table, a row for each policy."""
    binary = loss == "log_loss"
    score, top = "roc_auc" if binary else "mae", share(budget, 0)
    columns = [
        "policy",
        loss.replace("_", " "),
        "gain over never in % (95 %)",
        "AUC" if binary else "MAE",
        "predicted / actual",
        f"positives in the top {top}" if binary else f"spend of the top {top}",
        "more than never (95 %)",
        "promoted",
        "right",
        "wrong",
        "missed",
        "labels trained on",
        "seconds",
    ]
    gains = gain_cells(
        (None, None, None) if line["policy"] == BASIS else (line["gain"], line["low"], line["high"])
        for line in lines
    )
    rows = [
        [
            Cell(line["policy"]),
            Cell(f"{line['loss']:.4f}"),
            gain,
            Cell(number(line[score])),
            Cell(_ratio(line)),
            Cell(f"{line['captured']:,.0f}"),
            Cell(_extra(line)),
            *(Cell(str(line[name])) for name in ("promoted", "right", "wrong", "missed")),
            Cell(f"{line['rows_trained']:,}"),
            Cell(f"{line['seconds']:,.0f}"),
        ]
        for line, gain in zip(lines, gains, strict=True)
    ]
    return PageTable(columns, rows)


def _ratio(line: dict[str, Any]) -> str:
    mean = line["mean_label"]
    return f"{line['mean_prediction'] / mean:.3f}" if mean else DASH


def _extra(line: dict[str, Any]) -> str:
    if line["policy"] == BASIS:
        return DASH
    return f"{line['extra']:+,.0f} ({line['extra_low']:+,.0f} to {line['extra_high']:+,.0f})"


def _select(table: PageTable, places: tuple[int, ...]) -> PageTable:
    rows = [[row[place] for place in places] for row in table.rows]
    return PageTable([table.columns[place] for place in places], rows)


def _for_terminal(title: str, table: PageTable) -> Table:
    names = columns(*table.columns, numbers=table.columns[1:])
    rendered = Table(*names, title=title, title_justify="left")
    for row in table.rows:
        rendered.add_row(*(cell.text for cell in row))
    return rendered


def _subtitle(scenario: Scenario, summary: pd.DataFrame) -> str:
    rows = ", ".join(
        f"{line.target} {line.rows:,}" for line in summary.drop_duplicates("target").itertuples()
    )
    early = [name for name in scenario.settings.targets if name not in set(summary["target"])]
    unknown = f" No outcome is known yet for {', '.join(early)}." if early else ""
    return (
        f"{len(scenario.dates)} runs of each policy. On each day, the policy's release of that day "
        "predicted for the clients observed, before their outcomes existed. Predictions with a "
        f"known outcome: {rows}.{unknown}"
    )


def _terms(policies: Iterable[str], top: str) -> dict[str, str]:
    return {name: f"{POLICIES[name].description}." for name in policies} | {
        "gain over never": (
            "How much smaller the loss is than if the first model is kept forever. The interval is "
            "clustered by client. The advice also allows for the number of comparisons."
        ),
        "right, wrong": (
            "Promotions that the four weeks after them prove better, or worse, than the model they "
            "replaced. The rest can't be told from chance."
        ),
        "missed": "Candidates that were not promoted although those weeks prove them better.",
        f"top {top}": (
            f"The {top} of each day's clients with the highest predictions: those to contact first."
        ),
        "labels trained on, seconds": "What the policy costs, if it runs alone.",
    }
