"""The parts of a page: sections of sentences, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from evergreen.core.evaluation.decision import decimals_of

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
GOOD, BAD = "good", "bad"


@dataclass(frozen=True)
class IntervalBar:
    """An interval drawn on a line of length `WIDTH`: the positions of its parts."""

    low: float
    middle: float
    high: float
    zero: float
    WIDTH: ClassVar[float] = 200


class Cell(NamedTuple):
    """A table cell: its text and, in HTML, a colour (`GOOD`, `BAD`) and an interval."""

    text: str
    tone: str = ""
    bar: IntervalBar | None = None


class PageTable(NamedTuple):
    """A table; the first column names the rows."""

    columns: list[str]
    rows: list[list[Cell]]

    @property
    def text_columns(self) -> list[bool]:
        """Whether each column holds text, aligned left; numbers and bars are aligned right."""
        columns = [*zip(*self.rows, strict=True)] if self.rows else [()] * len(self.columns)
        return [
            any(cell.text[:1].isalpha() for cell in column) and not any(cell.bar for cell in column)
            for column in columns
        ]


class Sentence(NamedTuple):
    """A sentence and, in HTML, its colour."""

    text: str
    tone: str = ""


class PageSection(NamedTuple):
    """A heading with sentences, a table and pictures (SVG by title), any of which may be missing.

    The Markdown folds sections that are not `brief`.
    """

    title: str
    sentences: list[Sentence]
    table: PageTable | None = None
    pictures: dict[str, str] = {}  # noqa: RUF012 - never written to
    brief: bool = True


def row(*texts: str) -> list[Cell]:
    """Return a row of plain cells."""
    return [Cell(text) for text in texts]


def number(value: Any, digits: int = 4) -> str:  # noqa: ANN401 - as wide as JSON and pandas
    """Format a number with some significant digits; None and NaN are a dash."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return DASH
    text = f"{value:#,.{digits}g}" if abs(value) < 10 ** (digits - 1) else f"{value:,.0f}"
    return text.replace("-", MINUS)


def share(value: float | None, decimals: int) -> str:
    """Format a share as a percentage; None is a dash."""
    return DASH if value is None else f"{100 * value:.{decimals}f} %"


def gain_cells(gains: Iterable[tuple[Any, Any, Any]]) -> list[Cell]:
    """Return a cell for each (gain, low, high): numbers in percent, and bars on a common scale.

    Gains and ends are shares: 0.01 is one percent; None or NaN where unknown. Decimals are chosen
    as in a verdict.
    """
    gains = list(gains)
    ends = [0.0, *(value for gain in gains if _is_known(gain) for value in gain)]
    least, width = min(ends), (max(ends) - min(ends)) or 1.0
    return [_gain_cell(gain, least, width) if _is_known(gain) else Cell(DASH) for gain in gains]


def _is_known(gain: tuple[Any, ...]) -> bool:
    return all(value is not None and value == value for value in gain)  # noqa: PLR0124 - NaN


def _gain_cell(interval: Any, least: float, width: float) -> Cell:  # noqa: ANN401 - three floats
    gain, low, high = interval
    decimals = decimals_of((low, high))
    middle, first, last = (_percent(value, decimals) for value in (gain, low, high))
    tone = GOOD if low > 0 else BAD if high < 0 else ""
    margin = 0.04 * IntervalBar.WIDTH

    def place(value: float) -> float:
        return round(margin + (IntervalBar.WIDTH - 2 * margin) * (value - least) / width, 1)

    return Cell(
        f"{middle} ({first} to {last})", tone, IntervalBar(*map(place, (low, gain, high, 0.0)))
    )


def _percent(value: float, decimals: int) -> str:
    return f"{round(100 * value, decimals) + 0.0:+.{decimals}f}".replace("-", MINUS)
