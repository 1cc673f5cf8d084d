"""Guess from a file's headers and cells which preset or columns it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal

from evergreen.ingestion.amounts import possible_headers
from evergreen.ingestion.cells import CellError, text_of
from evergreen.ingestion.header_words import HEADER_WORDS, NO_SALE_WORDS, plain
from evergreen.ingestion.inputs import Mapped
from evergreen.ingestion.money import read_money
from evergreen.ingestion.times import TimeFormat
from evergreen.ingestion.user_files import open_files
from evergreen.settings import paths
from evergreen.settings.presets import companions, preset_names, preset_settings
from evergreen.settings.sources import TableSource
from evergreen.store import tables

if TYPE_CHECKING:
    from evergreen.ingestion.inputs import Input

    Kind = Literal["date", "number", "text", "blank"]

CELLS, SAMPLES = 500, 3
TYPICAL = 0.9
"""The share of cells that have to be dates, or numbers, for a column to hold them."""
DATES = TimeFormat(order="day_first", compact=True)
"""Reads whatever is built like a date."""
REQUIRED = ("client_id", "timestamp", "amount")
KIND_OF_ROLE: dict[str, Kind] = {
    "timestamp": "date",
    "amount": "number",
    "price": "number",
    "quantity": "number",
}


@dataclass(frozen=True)
class SniffedColumn:
    """A column of a file: its header, a few different cells, and what most of its cells are."""

    header: str
    samples: list[str]
    kind: Kind


@dataclass(frozen=True)
class Guess:
    """How a file could be mapped.

    Attributes
    ----------
    presets
        The presets whose columns it has, all alike in how many.
    columns
        The column for each role that is clear; an amount may be ``PRICE*QUANTITY``.
    candidates
        The columns to choose from, the likeliest first, for required roles that are not clear.
    """

    presets: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    candidates: dict[str, list[str]] = field(default_factory=dict)

    @property
    def preset(self) -> str | None:
        """The preset, if it is clear."""
        return self.presets[0] if len(self.presets) == 1 else None


def sniff(pattern: str) -> tuple[str, list[SniffedColumn]]:
    """The name of the first file that matches, and its columns in order.

    Raises
    ------
    DataError
        If there is no file, or it can't be read.
    """
    con = tables.connect(1)
    work = paths.WORK / "sniffed"
    known = [header for name in preset_names() for header in _all(preset_settings(name))]
    source = TableSource(files=pattern)
    opened = open_files(con, source, Mapped(known, []), {}, work, required=True)
    rows = next(iter(opened.inputs), None)
    return (rows.name, _columns(rows)) if rows else (pattern, [])


def _columns(rows: Input) -> list[SniffedColumn]:
    columns = []
    for number, header in enumerate(rows.headers):
        cells = [cell.strip() for cell in islice(rows.values(number), CELLS)]
        filled = [cell for cell in cells if cell]
        samples = list(islice(dict.fromkeys(filled), SAMPLES))
        kind: Kind = "number" if number in rows.decimal_point else _kind(filled)
        columns.append(SniffedColumn(header, samples, kind))
    return columns


def _kind(cells: list[str]) -> Kind:
    if not cells:
        return "blank"
    if sum(map(_is_date, cells)) >= TYPICAL * len(cells):
        return "date"
    return "number" if sum(map(_is_number, cells)) >= TYPICAL * len(cells) else "text"


def _is_date(cell: str) -> bool:
    return DATES.is_shaped(text_of(cell))


def _is_number(cell: str) -> bool:
    for sign in (".", ","):
        try:
            if read_money(cell, "," if sign == "," else ".") is not None:
                return True
        except CellError:
            continue
    return False


def guess(columns: list[SniffedColumn]) -> Guess:
    """Guess the preset of a file, or else the columns."""
    presets = _presets({column.header for column in columns})
    roles = {role: _named(columns, role) for role in HEADER_WORDS}
    if not roles["timestamp"]:
        roles["timestamp"] = [column.header for column in columns if column.kind == "date"]
    price, quantity = roles.pop("price"), roles.pop("quantity")
    if not roles["amount"] and len(price) == len(quantity) == 1:
        roles["amount"] = [f"{price[0]}*{quantity[0]}"]
    clear = {role: headers[0] for role, headers in roles.items() if len(headers) == 1}
    candidates = {role: roles[role] for role in REQUIRED if role not in clear}
    return Guess(presets, clear, candidates)


def may_tell_no_sales(columns: list[SniffedColumn]) -> list[str]:
    """The columns that may tell which rows are no sale, such as ``Financial Status``."""
    filled = [column.header for column in columns if column.kind != "blank"]
    return [header for header in filled if NO_SALE_WORDS & set(plain(header).split())]


def _named(columns: list[SniffedColumn], role: str) -> list[str]:
    """The headers of the best tier of a role that any column has, and that hold what it needs."""
    kind = KIND_OF_ROLE.get(role)
    fitting = [c for c in columns if c.kind != "blank" and kind in (None, c.kind)]
    for tier in HEADER_WORDS[role]:
        if headers := [column.header for column in fitting if plain(column.header) in tier]:
            return headers
    return []


def _presets(headers: set[str]) -> list[str]:
    """The presets all of whose columns there are, of those with the most columns."""
    names = preset_names()
    second = {companion for name in names for companion in companions(name).values()}
    counts = {name: _count(preset_settings(name), headers) for name in names if name not in second}
    most = max(counts.values(), default=0)
    return [name for name, count in counts.items() if count == most > 0]


def _count(settings: dict[str, Any], headers: set[str]) -> int:
    """How many columns a preset needs; 0 if one is missing."""
    aliases = settings.get("aliases", {})
    has = {header: bool({header, *aliases.get(header, ())} & headers) for header in _all(settings)}
    whole_or_parts = [
        has[text] or (len(parts) > 0 and all(has[part] for part in parts))
        for text, *parts in _named_by(settings)
    ]
    return len(whole_or_parts) if all(whole_or_parts) else 0


def _named_by(settings: dict[str, Any]) -> list[list[str]]:
    """For each text in the mapping of a preset: the text, and the columns that it may add up."""
    values = settings["columns"].values()
    texts = chain.from_iterable(v if isinstance(v, list) else [v] for v in values)
    return [possible_headers(text) for text in texts]


def _all(settings: dict[str, Any]) -> list[str]:
    return list(chain.from_iterable(_named_by(settings)))
