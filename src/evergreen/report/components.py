"""What pages are built from: sections of sentences, tables and pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

from evergreen.core.evaluation.decision import decimals_of

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
GOOD, BAD = "good", "bad"
BAR = 200
"""The width of a drawn interval in units of its own."""


class Bar(NamedTuple):
    """An interval as a drawing: where on a line of length `BAR` its parts lie."""

    low: float
    middle: float
    high: float
    zero: float


class Cell(NamedTuple):
    """A cell of a table: its text, and on a page that can draw, an interval or a colour."""

    text: str
    mood: str = ""
    bar: Bar | None = None


class Table(NamedTuple):
    """A table; the first column names its rows."""

    columns: list[str]
    rows: list[list[Cell]]

    @property
    def holds_words(self) -> list[bool]:
        """Of each column, whether it holds words, which begin at the left; else figures."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        return [any(cell.text[:1].isalpha() for cell in column) for column in columns]


class Section(NamedTuple):
    """A heading, sentences, a table and pictures, of which all but the heading may be missing.

    `brief` sections are part of the Markdown as well.
    """

    title: str
    notes: list[Cell]
    table: Table | None = None
    pictures: dict[str, str] = {}  # noqa: RUF012 - never written to
    brief: bool = True


def row(*texts: str, mood: str = "") -> list[Cell]:
    """A row of plain cells, the first in a colour."""
    return [Cell(text, mood if not place else "") for place, text in enumerate(texts)]


def note(text: str, mood: str = "") -> Cell:
    """A sentence."""
    return Cell(text, mood)


def number(value: Any, digits: int = 4) -> str:  # noqa: ANN401 - as wide as JSON and pandas
    """A figure with some significant digits; a dash where there is none."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return DASH
    text = f"{value:#,.{digits}g}" if abs(value) < 10 ** (digits - 1) else f"{value:,.0f}"
    return text.replace("-", MINUS)


def share(value: float | None, decimals: int) -> str:
    """A share as a percentage; a dash where there is none."""
    return DASH if value is None else f"{100 * value:.{decimals}f} %"


def gain_cells(found: list[tuple[float | None, float | None, float | None]]) -> list[Cell]:
    """For each gain with its ends a cell: the figures, and drawn on a line that all share.

    Gains and ends are shares: 0.01 is one percent. There are as many decimals as in a verdict.
    """
    whole = [one for one in found if _is_whole(one)]
    ends = [0.0, *(value for one in whole for value in one if value is not None)]
    least, width = min(ends), (max(ends) - min(ends)) or 1.0
    return [_gain_cell(one, least, width) if _is_whole(one) else Cell(DASH) for one in found]


def _is_whole(one: tuple[float | None, ...]) -> bool:
    return all(value is not None and value == value for value in one)  # noqa: PLR0124 - NaN


def _gain_cell(one: Any, least: float, width: float) -> Cell:  # noqa: ANN401 - three floats
    gain, low, high = one
    decimals = decimals_of((low, high))
    middle, first, last = (_percent(value, decimals) for value in (gain, low, high))
    mood = GOOD if low > 0 else BAD if high < 0 else ""
    margin = 0.04 * BAR

    def place(value: float) -> float:
        return round(margin + (BAR - 2 * margin) * (value - least) / width, 1)

    return Cell(f"{middle} ({first} to {last})", mood, Bar(*map(place, (low, gain, high, 0.0))))


def _percent(value: float, decimals: int) -> str:
    return f"{round(100 * value, decimals) + 0.0:+.{decimals}f}".replace("-", MINUS)
