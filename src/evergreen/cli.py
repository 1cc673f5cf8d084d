"""The command line: ``evergreen --help``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from evergreen import paths
from evergreen.errors import EvergreenError, SettingsError, in_words

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WIDE = 120
"""Columns of a table that goes to a file or a pipe, where rich would assume 80."""
console = Console(
    markup=False, soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE
)


@app.callback()
def at_the_root() -> None:
    """Keep a retailer's client models fresh: reproducible continuous training on DVC."""
    if not paths.PARAMS.is_file():
        raise SettingsError(
            f"{paths.PARAMS} was expected in the current folder, and is not there",
            "change to the root of the repository",
        )


class Demo(StrEnum):
    """Data sets that need no download."""

    COMPLETE_JOURNEY = "complete-journey"
    CDNOW = "cdnow"
    SIMULATED = "simulated"


@app.command()
def ingest(
    demo: Annotated[
        Demo | None,
        typer.Option(help="A demo data set to take in; by default what params.yaml names."),
    ] = None,
    through: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="The last day to take in; all of a demo by default, else the day before as_of.",
            metavar="DATE",
        ),
    ] = None,
) -> None:
    """Append new rows of a source to data/raw, checked and partitioned by day."""
    from evergreen.loop.lock import exclusive  # noqa: PLC0415 - each command loads its own
    from evergreen.params import load_settings  # noqa: PLC0415
    from evergreen.sources.take_in import take_in  # noqa: PLC0415

    settings = load_settings()
    with exclusive(), Progress(console=console, transient=True) as progress:
        task = progress.add_task("ingest", total=None)
        for line in take_in(
            settings,
            demo=demo.value if demo else None,
            through=through.date() if through else None,
            progress=lambda days, total: progress.update(task, completed=days, total=total),
        ):
            console.print(line)
    made_for_it = paths.CONFIGS / f"{demo}.yaml"
    if demo and made_for_it.is_file() and settings.source.demo != demo:
        console.print(f"{demo}: settings made for it: cp {made_for_it} {paths.PARAMS}")


@dataclass(frozen=True)
class Drift:
    """From which day on, and by how much, simulated segments behave otherwise."""

    on: date
    size: float

    @classmethod
    def parse(cls, value: str) -> Drift:
        """Read DATE:SIZE."""
        day, _, size = value.partition(":")
        try:
            return cls(datetime.strptime(day, "%Y-%m-%d").date(), float(size))
        except ValueError:
            raise typer.BadParameter(
                f"{value!r} is not DATE:SIZE, such as 2017-07-01:0.5"
            ) from None


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The folder to write; must not exist.")],
    *,
    clients: Annotated[int | None, typer.Option(help="How many there are in all.")] = None,
    days: Annotated[int | None, typer.Option(help="How many to simulate.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The first day."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The only source of randomness.")] = None,
    drift: Annotated[
        Drift | None,
        typer.Option(
            parser=Drift.parse,
            metavar="DATE:SIZE",
            help="From which day on, and by how much, segments behave otherwise.",
        ),
    ] = None,
    strategy_change: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="From which day on prices, assortment and clientele are others.",
        ),
    ] = None,
) -> None:
    """Simulate a retailer whose true probabilities are known; params.yaml says what else."""
    from evergreen.params import load_settings, with_simulation  # noqa: PLC0415
    from evergreen.sources.simulation_files import write_simulation  # noqa: PLC0415

    chosen = {
        "clients": clients,
        "days": days,
        "start": start.date() if start else None,
        "seed": seed,
        "drift_on": drift.on if drift else None,
        "drift_size": drift.size if drift else None,
        "strategy_change_on": strategy_change.date() if strategy_change else None,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    for line in write_simulation(with_simulation(load_settings(), given), out):
        console.print(line)


def _progress() -> Progress:
    """A bar at a terminal; nothing in a file or a pipe."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


@app.command()
def check() -> None:
    """Examine configuration, source, git, DVC and disk: what is fine, and what to do next."""
    from evergreen.loop.check import check as examine  # noqa: PLC0415
    from evergreen.loop.lock import exclusive  # noqa: PLC0415

    with exclusive():
        found = []
        for finding in examine():
            console.print(str(finding))
            found.append(finding)
    if any(finding.next_step for finding in found):
        raise typer.Exit(code=1)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The repository to make.")],
    *,
    files: Annotated[str, typer.Option(prompt="Files (a glob)", help="Your files, as a glob.")],
    client_id: Annotated[str, typer.Option(prompt="Column of the client", help="A column.")],
    timestamp: Annotated[str, typer.Option(prompt="Column of the date", help="A column.")],
    amount: Annotated[str, typer.Option(prompt="Column of the amount", help="A column.")],
    as_of: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            prompt="Date of the first run (one after the last day of data)",
            help="The date of the first run.",
        ),
    ],
    text: Annotated[str | None, typer.Option(help="The column of a description.")] = None,
    invoice_id: Annotated[str | None, typer.Option(help="The column of the invoice.")] = None,
) -> None:
    """Make a repository for your own data from this one; asks for what is not given."""
    from evergreen.loop.init import begin  # noqa: PLC0415

    columns = {
        "client_id": client_id,
        "timestamp": timestamp,
        "amount": amount,
        "text": text,
        "invoice_id": invoice_id,
    }
    named = {role: column for role, column in columns.items() if column}
    for line in begin(folder, files=files, columns=named, as_of=as_of.date()):
        console.print(line)


AsOf = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The date to look from.")
]
Through = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Catch up until this date."),
]
Push = Annotated[bool, typer.Option(help="Push data to the DVC remote, then commits with git.")]


class Mode(StrEnum):
    """What a run is asked for."""

    AUTO = "auto"
    INCREMENTAL = "incremental"
    FULL = "full"
    COMPARE = "compare"


ModeOption = Annotated[
    Mode, typer.Option(help="What to do; auto: whatever is due.", show_default=True)
]


@app.command()
def pin(
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="The date of the next run; without it the first run is pinned.",
        ),
    ] = None,
    mode: ModeOption = Mode.AUTO,
    *,
    new_line: Annotated[
        bool, typer.Option(help="Start a new line of models: the next run has no champion.")
    ] = False,
) -> None:
    """Take in what is new and put the inputs of the next run under DVC's care."""
    from evergreen.loop.lock import exclusive  # noqa: PLC0415
    from evergreen.loop.pin import pin_first_run, pin_run  # noqa: PLC0415
    from evergreen.params import load_settings  # noqa: PLC0415

    with exclusive():
        lines = (
            pin_run(as_of.date(), mode, new_line=new_line)
            if as_of
            else pin_first_run(load_settings(), new_line=new_line)
        )
        for line in lines:
            console.print(line)


@app.command()
def finish(*, push: Push = False) -> None:
    """Verify and publish the release of the run, record it and commit it."""
    from evergreen.loop.finish import finish as finish_run  # noqa: PLC0415
    from evergreen.loop.lock import exclusive  # noqa: PLC0415

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
    from evergreen.loop import cycle as loop  # noqa: PLC0415

    last = through.date() if through else None
    if dry_run:
        for line in loop.dry_run(as_of.date(), last, every=every, mode=mode):
            console.print(line)
        return
    with _progress() as progress:
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
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="The first run."),
    ],
    to: Annotated[
        datetime,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], metavar="DATE", help="The end of the history to judge by."
        ),
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
    from evergreen.loop.lock import exclusive  # noqa: PLC0415
    from evergreen.params import load_settings  # noqa: PLC0415
    from evergreen.replay import folder, policies, report, run  # noqa: PLC0415

    wanted = policies.named(policy or policies.POLICIES)
    scenario = run.scenario(load_settings(), first.date(), to.date(), every, target)
    with exclusive(), _progress() as progress:
        task = progress.add_task(f"replay {len(wanted)} policies", total=None)
        replayed, labels = folder.replay(
            scenario,
            wanted,
            jobs=jobs,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    for part in report.write_report(out, scenario, replayed, labels, budget=budget):
        console.print(part)


@app.command()
def score(
    as_of: AsOf,
    clients: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet with client_id; all known clients by default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The .parquet or .csv to write.", show_default="build/scores-DATE"),
    ] = None,
    to_sql: Annotated[
        str | None,
        typer.Option(
            metavar="URL_ENV:TABLE",
            help="A table too; URL_ENV is the variable that holds the database's URL.",
        ),
    ] = None,
) -> None:
    """Score clients with the release that is served."""
    from evergreen import load_release  # noqa: PLC0415
    from evergreen.params import load_settings  # noqa: PLC0415
    from evergreen.serving import batch  # noqa: PLC0415
    from evergreen.store.sql import SqlTable  # noqa: PLC0415

    try:
        table = SqlTable.parse(to_sql) if to_sql else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to-sql") from None
    day = as_of.date()
    target = out or paths.BUILD / f"scores-{day}.parquet"
    served = load_release()
    with _progress() as progress:
        task = progress.add_task("score", total=None)
        done = batch.score(
            served,
            load_settings(),
            day,
            target,
            clients=clients,
            to_sql=table,
            progress=lambda n, total: progress.update(task, completed=n, total=total),
        )
    new = f", {done.new:,} of them new: nothing is known of them" if done.new else ""
    console.print(f"{done.clients:,} clients{new}; release {served.version}: {target}")
    if table is not None:
        console.print(f"the same rows: table {table.table} of the database of {table.variable}")


@app.command()
def summary() -> None:
    """Show the outcome of the last run: models, gains with their intervals, verdicts."""
    from evergreen.loop.summary import summary as summarise  # noqa: PLC0415
    from evergreen.params import load_settings  # noqa: PLC0415

    for part in summarise(load_settings()):
        console.print(part)


@app.command()
def history(
    target: Annotated[str | None, typer.Argument(help="One target; all by default.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Whole records, one JSON list.")] = False,
) -> None:
    """Show every run: what was judged, by how much it was better, what was done."""
    from evergreen.loop import history as records  # noqa: PLC0415
    from evergreen.loop import rollback as rollbacks  # noqa: PLC0415
    from evergreen.loop.history_tables import as_json, history_table, live_table  # noqa: PLC0415
    from evergreen.loop.track_record import live  # noqa: PLC0415

    found = records.read_all()
    records.check_target(found, target)
    if json:
        console.print_json(data=as_json(found, target))
    else:
        console.print(history_table(found, rollbacks.read_all(), target))
        if known := live(found[-1], found) if found else []:
            console.print(live_table(known, target))


@app.command()
def plot_history(
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("reports/history.png"),
) -> None:
    """Draw the losses of all runs, promotions marked."""
    from evergreen.loop import history as records  # noqa: PLC0415
    from evergreen.loop.track_record import loss_rows  # noqa: PLC0415
    from evergreen.store.history_figure import draw_history  # noqa: PLC0415

    found = records.read_all()
    losses = {name: target.loss for record in found for name, target in record.targets.items()}
    draw_history(out, loss_rows(found), loss_names=losses)
    console.print(f"{len(found)} runs: {out}")


@app.command("versions")
def list_versions(
    target: Annotated[str | None, typer.Argument(help="One target; all by default.")] = None,
) -> None:
    """List every model that was ever judged; each can be had again with `evergreen get`."""
    from evergreen.loop import history as records  # noqa: PLC0415
    from evergreen.loop.history_tables import versions_table  # noqa: PLC0415
    from evergreen.loop.track_record import versions  # noqa: PLC0415

    found = records.read_all()
    records.check_target(found, target)
    console.print(versions_table(versions(found), target))


@app.command()
def best(target: Annotated[str, typer.Argument(help="Which target.")]) -> None:
    """Print the version of the model in production."""
    from evergreen.loop.publish import in_production  # noqa: PLC0415

    version, folder = in_production(target)
    console.print(f"{target}@{version} {folder}")


@app.command()
def get(
    version: Annotated[str, typer.Argument(metavar="TARGET@VERSION", help="Which model.")],
    out: Annotated[Path, typer.Option(help="The folder to write; must not exist.")],
) -> None:
    """Take a past model out of DVC's cache or remote."""
    from evergreen.errors import DataError  # noqa: PLC0415
    from evergreen.loop.rollback import fetch_version  # noqa: PLC0415

    target, _, name = version.partition("@")
    if not name or out.exists():
        found = f"{out} exists already" if name else f"{version!r} names no version"
        raise DataError(
            f"TARGET@VERSION and a new folder are expected; {found}", "evergreen versions"
        )
    fetch_version(target, name, out)
    console.print(f"{version}: {out}")


@app.command()
def rollback(
    to: Annotated[str, typer.Option(metavar="VERSION|DATE", help="What to go back to.")],
    reason: Annotated[str, typer.Option(help="Why; for the history.")],
    target: Annotated[str | None, typer.Argument(help="One target; all by default.")] = None,
    *,
    hold: Annotated[bool, typer.Option(help="Keep it so until `evergreen release`.")] = False,
) -> None:
    """Serve an older model at once; the next run starts from it."""
    from evergreen.loop.lock import exclusive  # noqa: PLC0415
    from evergreen.loop.rollback import roll_back  # noqa: PLC0415

    with exclusive():
        for line in roll_back(target, to, reason, hold=hold):
            console.print(line)


@app.command()
def hold(
    target: Annotated[str, typer.Argument(help="Which target.")],
    reason: Annotated[str, typer.Option(help="Why; for the history.")],
) -> None:
    """Keep a target's model in production whatever the gate says."""
    from evergreen.loop.lock import exclusive  # noqa: PLC0415
    from evergreen.loop.rollback import set_hold  # noqa: PLC0415

    with exclusive():
        console.print(set_hold(target, reason))


@app.command()
def release(target: Annotated[str, typer.Argument(help="Which target.")]) -> None:
    """Let the gate decide again on a target that was held."""
    from evergreen.loop.lock import exclusive  # noqa: PLC0415
    from evergreen.loop.rollback import set_hold  # noqa: PLC0415

    with exclusive():
        console.print(set_hold(target, None))


def main() -> None:
    """Run a command; an error is told in words, with what to do next, and exits with 1."""
    try:
        app()
    except (EvergreenError, OSError) as error:
        told = in_words(error) if isinstance(error, OSError) else error
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[red]error:[/red] {escape(str(told))}"
        )
        sys.exit(1)
