"""Commands that run: pin, finish, cycle, replay, and summary and report of the last run."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - typer reads it
from pathlib import Path
from typing import Annotated

import typer

from evergreen.cli.app import (
    AsOf,
    Mode,
    ModeOption,
    Push,
    Through,
    app,
    console,
    date_option,
    progress_bar,
    warn_renamed,
)


@app.command()
def pin(
    as_of: Annotated[
        datetime | None,
        date_option("The date of the next run; without it the first run is pinned."),
    ] = None,
    mode: ModeOption = Mode.AUTO,
    *,
    new_lineage: Annotated[
        bool, typer.Option(help="Start a new model lineage: the next run has no champion.")
    ] = False,
    new_line: Annotated[bool, typer.Option("--new-line", hidden=True)] = False,
) -> None:
    """Take in what is new and put the inputs of the next run under DVC's care."""
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.lifecycle.pin import pin_first_run, pin_run  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    if new_line:
        warn_renamed("pin --new-line", "pin --new-lineage")
    new_lineage = new_lineage or new_line
    with exclusive():
        lines = (
            pin_run(as_of.date(), mode, new_line=new_lineage)
            if as_of
            else pin_first_run(load_settings(), new_line=new_lineage)
        )
        for line in lines:
            console.print(line)


@app.command()
def finish(*, push: Push = False) -> None:
    """Verify and publish the release of the run, record it and commit it."""
    from evergreen.lifecycle.finish import finish as finish_run  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    with exclusive():
        for line in finish_run(push=push):
            console.print(line)


@app.command()
def cycle(
    as_of: AsOf,
    through: Through = None,
    every: Annotated[int, typer.Option(min=1, help="Days from one run to the next.")] = 1,
    mode: ModeOption = Mode.AUTO,
    *,
    dry_run: Annotated[bool, typer.Option(help="Say what is due and change nothing.")] = False,
    push: Push = False,
) -> None:
    """Pin, run and finish; for one date, or for one after the other."""
    from evergreen.lifecycle import cycle as loop  # noqa: PLC0415

    last = through.date() if through else None
    if dry_run:
        for line in loop.dry_run(as_of.date(), last, every=every, mode=mode):
            console.print(line)
        return
    with progress_bar() as progress:
        task = progress.add_task("", total=None)
        for line in loop.cycle(
            as_of.date(),
            last,
            every=every,
            mode=mode,
            push=push,
            doing=lambda done, total, what: progress.update(
                task, completed=done, total=total, description=what
            ),
        ):
            console.print(line)


@app.command()
def replay(
    first: Annotated[
        datetime,
        date_option("The first run.", "--from"),
    ],
    to: Annotated[
        datetime,
        date_option("The end of the history to judge by.", "--to"),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="A policy to replay, as often as needed; all by default.", metavar="NAME"
        ),
    ] = None,
    *,
    every: Annotated[int, typer.Option(min=1, help="Days from one run to the next.")] = 1,
    target: Annotated[
        list[str] | None, typer.Option(help="A target, as often as needed; all by default.")
    ] = None,
    budget: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Share of clients that can be contacted.")
    ] = 0.1,
    jobs: Annotated[int, typer.Option(min=1, help="Policies replayed at a time.")] = 2,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("reports/replay"),
) -> None:
    """Show what retraining policies would have brought on one's own history."""
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.replay import policies, report, workers  # noqa: PLC0415
    from evergreen.replay.scenario import make_scenario  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    wanted = policies.policies_named(policy or policies.POLICIES)
    scenario = make_scenario(load_settings(), first.date(), to.date(), every, target)
    with exclusive(), progress_bar() as progress:
        task = progress.add_task(f"replay {len(wanted)} policies", total=None)
        results, labels = workers.replay(
            scenario,
            wanted,
            jobs=jobs,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    for part in report.write_report(out, scenario, results, labels, budget=budget):
        console.print(part)


@app.command()
def summary() -> None:
    """Show the outcome of the last run: models, gains with their intervals, verdicts."""
    from evergreen.lifecycle.summary import summary as summarise  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    for part in summarise(load_settings()):
        console.print(part)


@app.command()
def report(
    out: Annotated[
        Path, typer.Option(help="The page to write; the Markdown gets the same name with .md.")
    ] = Path("reports/report.html"),
) -> None:
    """Write the last run as one page for a reviewer, and in Markdown for a pull request."""
    from evergreen.history import run_records  # noqa: PLC0415
    from evergreen.report.page import write_report  # noqa: PLC0415
    from evergreen.settings import paths  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415
    from evergreen.vcs.git import git  # noqa: PLC0415

    console.print(write_report(load_settings(), out, out.with_suffix(".md")))
    if out == paths.PAGE and run_records.is_recorded(load_settings().as_of):
        git("restore", "--", str(paths.PAGE_IN_MARKDOWN))  # it stays as it was committed
