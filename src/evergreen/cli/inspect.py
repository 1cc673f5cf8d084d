"""Commands about past runs: their outcome, their history, their models, and replays."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from evergreen.cli.app import (
    AnyTarget,
    LightCommand,
    OneTarget,
    Panel,
    command,
    console,
    date_option,
    print_each,
    progress_bar,
    renamed,
)
from evergreen.errors import DataError


@command(Panel.INSPECT)
def summary() -> None:
    """Show the outcome of the last run: models, gains with their intervals, verdicts."""
    from evergreen.lifecycle.summary import summary as summarise  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    print_each(summarise(load_settings()))


@command(Panel.INSPECT)
def report(
    out: Annotated[
        Path, typer.Option(help="Write the page to this file, and the Markdown next to it.")
    ] = Path("reports/report.html"),
) -> None:
    """Write the last run as a page for reviewers, and in Markdown for a pull request."""
    from evergreen.history import run_records  # noqa: PLC0415
    from evergreen.lifecycle.lock import check_idle  # noqa: PLC0415
    from evergreen.report.page import write_report  # noqa: PLC0415
    from evergreen.settings import paths  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415
    from evergreen.vcs.git import git  # noqa: PLC0415

    check_idle("makes anew what the report shows")
    settings = load_settings()
    console.print(write_report(settings, out, out.with_suffix(".md")))
    if out == paths.PAGE and run_records.is_recorded(settings.as_of):
        git("restore", "--", str(paths.PAGE_IN_MARKDOWN))  # it stays as it was committed


@command(Panel.INSPECT)
def history(
    target: AnyTarget = None,
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print the complete records as a JSON list.")
    ] = False,
) -> None:
    """List all runs: the models that were judged, their gains, and the decisions."""
    from evergreen.history import rollback_records, run_records  # noqa: PLC0415
    from evergreen.history.run_summaries import live  # noqa: PLC0415
    from evergreen.history.tables import as_json, history_table, live_table  # noqa: PLC0415
    from evergreen.lifecycle import review  # noqa: PLC0415

    records = run_records.read_all()
    run_records.check_target(records, target)
    if json:
        console.print_json(data=as_json(records, target))
        return
    console.print(history_table(records, rollback_records.read_all(), target))
    if live_losses := live(records[-1], records) if records else []:
        console.print(live_table(live_losses, target))
    print_each(map(str, (*review.rejections(), *review.pending_runs())))


@command(Panel.INSPECT)
def plot_history(
    out: Annotated[Path, typer.Option(help="Write the plot to this PNG file.")] = Path(
        "reports/history.png"
    ),
) -> None:
    """Plot the losses of all runs, with promotions marked."""
    from evergreen.core.wording import plural  # noqa: PLC0415
    from evergreen.history import run_records  # noqa: PLC0415
    from evergreen.history.run_summaries import loss_rows  # noqa: PLC0415
    from evergreen.plots.history_figure import draw_history  # noqa: PLC0415

    records = run_records.read_all()
    losses = {name: target.loss for record in records for name, target in record.targets.items()}
    draw_history(out, loss_rows(records), loss_names=losses)
    console.print(f"{plural(len(records), 'run')}: {out}")


@command(Panel.INSPECT, "versions")
def list_versions(target: AnyTarget = None) -> None:
    """List every model that was ever judged; `evergreen get` retrieves any of them."""
    from evergreen.history import run_records  # noqa: PLC0415
    from evergreen.history.run_summaries import versions  # noqa: PLC0415
    from evergreen.history.tables import versions_table  # noqa: PLC0415

    records = run_records.read_all()
    run_records.check_target(records, target)
    console.print(versions_table(versions(records), target))


@command(Panel.INSPECT, cls=LightCommand)
def champion(target: OneTarget) -> None:
    """Print the version and the folder of the model in production."""
    from evergreen.lifecycle.publish import in_production  # noqa: PLC0415

    version, folder = in_production(target)
    console.print(f"{target}@{version} {folder}")


@command(Panel.INSPECT)
def get(
    version: Annotated[
        str,
        typer.Argument(
            metavar="TARGET@VERSION",
            help="Choose the model; or 'release', for the release in production.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Write to this folder; it must not exist.")],
) -> None:
    """Retrieve a model or the current release from DVC's cache or remote, and verify it."""
    from evergreen.lifecycle.fetch_release import fetch_current  # noqa: PLC0415
    from evergreen.lifecycle.rollback import fetch_version  # noqa: PLC0415

    target, _, name = version.partition("@")
    is_release = version == "release"
    if not (name or is_release) or out.exists():
        has_version = name or is_release
        problem = f"{out} already exists" if has_version else f"{version!r} has no version"
        raise DataError(
            f"expected TARGET@VERSION or 'release', and a new folder, but {problem}",
            "evergreen versions",
        )
    if is_release:
        version = f"release {fetch_current(out)}"
    else:
        fetch_version(target, name, out)
    console.print(f"{version}: {out}")


@command(Panel.INSPECT)
def replay(
    first: Annotated[date, date_option("Start with a run on this date.", "--from")],
    to: Annotated[date, date_option("Use the history up to this date.", "--to")],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Replay this policy; repeat the option for several.",
            metavar="NAME",
            show_default="all policies",
        ),
    ] = None,
    *,
    every: Annotated[
        int, typer.Option(min=1, metavar="DAYS", help="Let this many days pass between runs.")
    ] = 1,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Replay this target; repeat the option for several.",
            metavar="NAME",
            show_default="all targets",
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=1.0,
            metavar="SHARE",
            help="Assume that this share of clients is contacted.",
        ),
    ] = 0.1,
    jobs: Annotated[
        int, typer.Option(min=1, metavar="N", help="Replay this many policies at a time.")
    ] = 2,
    out: Annotated[Path, typer.Option(help="Write to this folder.")] = Path("reports/replay"),
) -> None:
    """Compare what retraining policies would have gained on your own history."""
    from evergreen.lifecycle.lock import one_replay  # noqa: PLC0415 - each command loads its own
    from evergreen.replay import policies, workers  # noqa: PLC0415
    from evergreen.replay.report import write_report  # noqa: PLC0415
    from evergreen.replay.scenario import make_scenario  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    chosen = policies.policies_named(policy or policies.POLICIES)
    scenario = make_scenario(load_settings(), first, to, every, target)
    with one_replay(), progress_bar(f"replay {len(chosen)} policies") as progress:
        results, labels = workers.replay(scenario, chosen, jobs=jobs, progress=progress)
    print_each(write_report(out, scenario, results, labels, budget=budget))


renamed("best", "champion", champion)
