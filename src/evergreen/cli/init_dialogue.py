"""Complete the options of `evergreen init`: by what a file shows, and by asking."""

from __future__ import annotations

import os
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from evergreen.cli.app import console, read_day
from evergreen.cli.init_options import COLUMNS, READING, option
from evergreen.errors import EvergreenError, SettingsError, UndecidedError
from evergreen.ingestion.sniffing import guess, may_tell_no_sales
from evergreen.lifecycle.init import preview_source, sniff_files
from evergreen.settings import paths
from evergreen.settings.presets import about, preset_names, preset_settings

if TYPE_CHECKING:
    from evergreen.cli.init_options import InitOptions
    from evergreen.ingestion.ingest import Preview
    from evergreen.ingestion.sniffing import Guess, SniffedColumn

QUESTIONS = {
    "client_id": "Column of the client's id",
    "timestamp": "Column of the date",
    "amount": "Column of the amount, a sum such as Total - Refunded, or PRICE*QUANTITY",
}
WIDTH = 79


def interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def complete(options: InitOptions, *, skip_preview: bool) -> date:
    """Complete the options, and give the date of the first run.

    What is missing is guessed from the files; what is not clear, or can't be guessed, is asked for.

    Raises
    ------
    SettingsError
        If something is not clear and there is nobody to ask, if the source can't be read as
        described, or if nobody agrees; the next step is the command with its options.
    """
    _ask_for_source(options)
    if options.files is None or skip_preview:
        return _ask_for_columns(options)
    return _complete_by_files(options)


def _ask_for_source(options: InitOptions) -> None:
    """Ask for files or a database where none is named."""
    if options.files is None and options.url_env is None:
        _require_person("the files are missing", "--files 'inbox/*.csv'")
        source = str(typer.prompt("Files, as a glob (or $NAME, a variable with a database's URL)"))
        options.files, options.url_env = (
            (None, source[1:]) if source.startswith("$") else (source, None)
        )
    if options.url_env is not None and options.table is None:
        _require_person("the table of the database is missing", "--table NAME")
        options.table = str(typer.prompt("Table of the database"))


def _require_person(message: str, option: str) -> None:
    if not interactive():
        raise SettingsError(f"{message}, and stdin is not interactive", f"add {option}")


def _ask_for_columns(options: InitOptions) -> date:
    for name in options.missing:
        _require_person(f"the {QUESTIONS[name].lower()} is missing", f"{option(name)} NAME")
        setattr(options, name, typer.prompt(QUESTIONS[name]))
    if options.as_of is not None:
        return options.as_of
    _require_person("the date of the first run is missing", "--as-of DATE")
    return _ask_for_day()


def _ask_for_day(default: date | None = None) -> date:
    question = "Date of the first run, the day after the last day of data"
    shown = None if default is None else str(default)
    day: date = typer.prompt(question, default=shown, value_proc=read_day)
    return day


def _complete_by_files(options: InitOptions) -> date:
    """Guess what is missing, show what the files would give, and ask for agreement."""
    given = not options.missing and options.as_of is not None
    if options.missing:
        _complete_columns(options)
    _ask_for_timezone(options)
    preview = _preview(options)
    for line in preview.lines:
        console.print(line)
    if options.as_of is None and preview.totals is not None:
        options.as_of = preview.totals.last_day + timedelta(days=1)
    if options.as_of is None:
        raise SettingsError("no row of the source is good", "choose other files or columns")
    if given or not interactive():
        return options.as_of
    options.as_of = _ask_for_day(options.as_of)
    if not typer.confirm(f"Create {options.folder}?", default=True):
        raise SettingsError("nothing was created", f"change an option:\n{options.command()}")
    return options.as_of


def _complete_columns(options: InitOptions) -> None:
    name, columns = sniff_files(str(Path(options.files or "").resolve()))
    found = guess(columns)
    own = any(getattr(options, column) for column in COLUMNS)
    presets = [] if own else found.presets
    if len(presets) > 1:
        options.preset = _chosen(options, "preset", presets, "the columns fit several presets")
    elif presets:
        options.preset = presets[0]
    else:
        for role, header in found.columns.items():
            if getattr(options, role) is None:
                setattr(options, role, header)
    absolute = Path(options.files or "").is_absolute()
    _show(name if absolute else os.path.relpath(name), columns, options)
    for role in options.missing:
        _ask_for_column(options, role, found)


def _ask_for_timezone(options: InitOptions) -> None:
    """Ask for the shop's own time zone, if the preset writes times in another."""
    known = options.preset in preset_names()
    zone = preset_settings(str(options.preset)).get("timezone") if known else None
    if zone is None or options.timezone is not None:
        return
    what = f"the preset {options.preset} has times in {zone}; the shop's own time zone is needed"
    if not interactive():
        raise SettingsError(
            f"{what}, and stdin is not interactive",
            f"name it, such as Europe/Paris:\n{options.command(timezone=zone)}",
        )
    console.print(what)
    options.timezone = typer.prompt("Time zone, such as Europe/Paris")


def _ask_for_column(options: InitOptions, role: str, found: Guess) -> None:
    candidates = found.candidates.get(role, [])
    if interactive():
        likeliest = candidates[0] if candidates else None
        setattr(options, role, typer.prompt(QUESTIONS[role], default=likeliest))
        return
    what = f"it is not clear which column holds the {role.replace('_', ' ')}"
    if not candidates:
        raise SettingsError(
            f"{what}, and stdin is not interactive", f"name it:\n{options.command(**{role: '...'})}"
        )
    setattr(options, role, _chosen(options, role, candidates, what))


def _chosen(options: InitOptions, name: str, choices: list[str], problem: str) -> str:
    if interactive():
        console.print(f"{problem}: {' or '.join(choices)}")
        return _choice(name, choices)
    commands = "\nor\n".join(options.command(**{name: choice}) for choice in choices)
    raise SettingsError(f"{problem}, and stdin is not interactive", f"choose one:\n{commands}")


def _choice(name: str, choices: list[str]) -> str:
    answer = ""
    while answer not in choices:
        answer = str(typer.prompt(f"{name.replace('_', ' ')} ({' or '.join(choices)})"))
    return answer


def _preview(options: InitOptions) -> Preview:
    """Read the source; ask for what its cells don't tell."""
    while True:
        files = options.files and str(Path(options.files).resolve())
        try:
            transactions = options.transactions() | {"files": files}
            return preview_source(transactions, options.timezone)
        except UndecidedError as error:
            if error.setting not in (*READING, "timezone"):
                raise
            choice = _chosen(options, error.setting, list(error.choices), error.message)
            setattr(options, error.setting, choice)
        except EvergreenError as error:
            hint = error.next_step or ""
            lost = str(paths.QUARANTINE) in hint  # with the folder of the preview
            raise SettingsError(
                f"{error.message}\nThis was tried:\n{options.command()}",
                "change an option; or add --skip-preview, and in the new folder "
                f"{'fix `source` in params.yaml' if lost or not hint else hint}",
            ) from None


def _show(name: str, columns: list[SniffedColumn], options: InitOptions) -> None:
    """Print the columns with some of their cells, and what they are taken for."""
    roles = {header: role for role in COLUMNS if (header := getattr(options, role))}
    for factor, part in zip(("price", "quantity"), (options.amount or "").split("*"), strict=False):
        if "*" in (options.amount or ""):
            roles[part.strip()] = factor
    table = Table(box=None, width=WIDTH, padding=(0, 2, 0, 0), title_justify="left")
    table.add_column("column", no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column("some of its cells", no_wrap=True, overflow="ellipsis", ratio=1)
    if roles:
        table.add_column("taken for", no_wrap=True)
    filled = [column for column in columns if column.samples]
    for column in filled:
        cells = [column.header, " | ".join(column.samples), roles.get(column.header, "")]
        table.add_row(*cells[: 3 if roles else 2])
    console.print(f"{name}:")
    console.print(table, soft_wrap=False)
    if len(filled) < len(columns):
        console.print(f"and {len(columns) - len(filled)} columns without cells")
    if options.preset:
        console.print(f"taken for the preset {options.preset}\n({about(options.preset)})")
    elif telling := [header for header in may_tell_no_sales(columns) if header not in roles]:
        console.print(
            f"not used, though they may tell what is no sale: {', '.join(telling)}\n"
            "(set `where` for that; see docs/sources.md)"
        )
