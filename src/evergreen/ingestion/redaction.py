"""Which cells of a source a message may show: none that may be personal data.

Messages go to logs and mails. The cells that are not shown are in the quarantine file, or in the
source.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CHARS, MAX_NAME_CHARS, FEW_DIGITS = 40, 200, 7
DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))(?!\d)")
COMPACT = re.compile(r"\s*(19|20)\d{6}(?!\d)")
DECIMAL = re.compile(r"\s*[-+]?\d+[.,]\d+\s*")
WORDS = re.compile(r"[^\W\d_]\W*\s\W*[^\W\d_]")
MAX_LETTER_BYTES = 12
"""In UTF-8: enough for the name of a month in any script, too few for a sentence."""


def shown(value: str) -> str | None:
    """A cell for a message; None where it may be an address, a phone number or a note."""
    letters = len("".join(filter(str.isalpha, value)).encode(errors="replace"))
    long = len(value) > MAX_CHARS or letters > MAX_LETTER_BYTES
    return None if long or _names_someone(value) or WORDS.search(value) else repr(value)


def is_no_header(cells: Iterable[str]) -> bool:
    """Whether a first line holds data rather than the names of columns."""
    return any(
        len(cell) > MAX_NAME_CHARS
        or DATE.match(cell)
        or DECIMAL.fullmatch(cell)
        or _names_someone(cell)
        for cell in cells
    )


def _names_someone(value: str) -> bool:
    dated = DATE.match(value) or COMPACT.match(value)
    digits = sum(map(str.isdigit, value))
    return "@" in value or (digits >= FEW_DIGITS and not dated)
