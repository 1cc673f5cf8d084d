"""Commands about past runs: their history, their models, and back to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evergreen.cli.app import app, console, renamed
from evergreen.errors import DataError


@app.command()
def history(
    target: Annotated[str | None, typer.Argument(help="One target; all by default.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Whole records, one JSON list.")] = False,
) -> None:
    """Show every run: what was judged, by how much it was better, what was done."""
    from evergreen.history import rollback_records  # noqa: PLC0415
    from evergreen.history import run_records as records  # noqa: PLC0415
    from evergreen.history.run_summaries import live  # noqa: PLC0415
    from evergreen.history.tables import as_json, history_table, live_table  # noqa: PLC0415
    from evergreen.lifecycle import review  # noqa: PLC0415

    found = records.read_all()
    records.check_target(found, target)
    if json:
        console.print_json(data=as_json(found, target))
    else:
        console.print(history_table(found, rollback_records.read_all(), target))
        if known := live(found[-1], found) if found else []:
            console.print(live_table(known, target))
        for one in (*review.rejections(), *review.waiting()):
            console.print(str(one))


@app.command()
def plot_history(
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("reports/history.png"),
) -> None:
    """Draw the losses of all runs, promotions marked."""
    from evergreen.core.wording import plural  # noqa: PLC0415
    from evergreen.history import run_records as records  # noqa: PLC0415
    from evergreen.history.run_summaries import loss_rows  # noqa: PLC0415
    from evergreen.plots.history_figure import draw_history  # noqa: PLC0415

    found = records.read_all()
    losses = {name: target.loss for record in found for name, target in record.targets.items()}
    draw_history(out, loss_rows(found), loss_names=losses)
    console.print(f"{plural(len(found), 'run')}: {out}")


@app.command("versions")
def list_versions(
    target: Annotated[str | None, typer.Argument(help="One target; all by default.")] = None,
) -> None:
    """List every model that was ever judged; each can be had again with `evergreen get`."""
    from evergreen.history import run_records as records  # noqa: PLC0415
    from evergreen.history.run_summaries import versions  # noqa: PLC0415
    from evergreen.history.tables import versions_table  # noqa: PLC0415

    found = records.read_all()
    records.check_target(found, target)
    console.print(versions_table(versions(found), target))


@app.command()
def champion(target: Annotated[str, typer.Argument(help="Which target.")]) -> None:
    """Print the version and the folder of the model in production."""
    from evergreen.lifecycle.publish import in_production  # noqa: PLC0415

    version, folder = in_production(target)
    console.print(f"{target}@{version} {folder}")


@app.command()
def get(
    version: Annotated[str, typer.Argument(metavar="TARGET@VERSION", help="Which model.")],
    out: Annotated[Path, typer.Option(help="The folder to write; must not exist.")],
) -> None:
    """Take a past model out of DVC's cache or remote."""
    from evergreen.lifecycle.rollback import fetch_version  # noqa: PLC0415

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
    hold: Annotated[bool, typer.Option(help="Keep it so until `evergreen unhold`.")] = False,
) -> None:
    """Serve an older model at once; the next run starts from it."""
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.lifecycle.rollback import roll_back  # noqa: PLC0415

    with exclusive():
        for line in roll_back(target, to, reason, hold=hold):
            console.print(line)


@app.command()
def hold(
    target: Annotated[str, typer.Argument(help="Which target.")],
    reason: Annotated[str, typer.Option(help="Why; for the history.")],
) -> None:
    """Keep a target's model in production whatever the gate says."""
    from evergreen.lifecycle.hold import set_hold  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    with exclusive():
        console.print(set_hold(target, reason))


@app.command()
def unhold(target: Annotated[str, typer.Argument(help="Which target.")]) -> None:
    """Let the gate decide again on a target that was held."""
    from evergreen.lifecycle.hold import set_hold  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    with exclusive():
        console.print(set_hold(target, None))


renamed("best", "champion", champion)
renamed("release", "unhold", unhold)
