"""Forget clients: erasure requests are law in many places."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evergreen.cli.app import Panel, command, console, print_each, run_exclusively
from evergreen.errors import DataError, EvergreenError


@command(Panel.DATA)
def forget(
    clients: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID...", help="Forget the clients with these ids."),
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--from", help="Read further ids from this file, one a line.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Record this reason in the history; without an id.")
    ] = None,
    absent: Annotated[
        bool,
        typer.Option("--absent", help="Record ids without any row here, too, to keep them out."),
    ] = False,
    remote: Annotated[
        bool,
        typer.Option("--remote", help="Push, then remove forgotten clients from DVC's remote."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; change nothing.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Search everything for the ids, git's history included."),
    ] = False,
    show_key: Annotated[
        bool,
        typer.Option("--show-key", help="Print the key that recognises forgotten clients."),
    ] = False,
) -> None:
    """Remove clients from all data here, and leave them out of later ingestions.

    Recorded verdicts and the served release stay. See docs/forgetting.md.
    """
    ids = [*(clients or ()), *(_read_ids(file) if file else ())]
    if show_key:
        _show_key()
    elif check:
        _check(_some(ids))
    else:
        _forget(ids, reason or "", absent=absent, remote=remote, dry_run=dry_run)


def _forget(ids: list[str], reason: str, *, absent: bool, remote: bool, dry_run: bool) -> None:
    from evergreen.lifecycle.forget import forget as forget_clients  # noqa: PLC0415 - each its own
    from evergreen.lifecycle.forget_remote import clear_remote  # noqa: PLC0415
    from evergreen.lifecycle.lock import one_replay  # noqa: PLC0415

    with one_replay():
        if ids or not remote:
            options = {"absent": absent, "remote": remote, "dry_run": dry_run}
            run_exclusively(forget_clients(_some(ids), reason, **options))
        if remote and not dry_run:
            run_exclusively(clear_remote())


def _check(ids: list[str]) -> None:
    from evergreen.lifecycle import forget_check  # noqa: PLC0415

    found = False
    for client in ids:
        findings = list(forget_check.find(client))
        print_each(map(str, findings))
        found = found or any(finding.ours for finding in findings)
        if not any(finding.ours for finding in findings):
            console.print(f"ok   {client}: not in this repository, its caches or its history")
    print_each(forget_check.not_searched())
    if found:
        raise typer.Exit(code=1)


def _show_key() -> None:
    from evergreen.ingestion.tombstones import read_key  # noqa: PLC0415

    key = read_key()
    if key is None:
        raise DataError("there is no key here: no client was forgotten in this clone")
    console.print(key)


def _some(ids: list[str]) -> list[str]:
    if not ids:
        raise EvergreenError("no id is given", 'evergreen forget ID --reason "..."')
    return ids


def _read_ids(file: Path) -> list[str]:
    """The ids in a file, one a line."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file} can't be read: {error}", "give a text file, one id a line"
        ) from None
    return [line.strip() for line in lines if line.strip()]
