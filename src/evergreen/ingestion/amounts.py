"""Amounts that are a sum of columns, such as ``Item Total - Coupon + Shipping``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from evergreen.ingestion.inputs import Input

SIGN = re.compile(r" ([-+]) ")


class Summand(NamedTuple):
    """A column that is added, or taken off."""

    sign: str
    header: str


def possible_headers(amount: str) -> list[str]:
    """What could be columns in an amount: the whole text, and what is between its signs."""
    return list(dict.fromkeys([amount, *SIGN.split(amount)[::2]]))


def summands(rows: Input, amount: str) -> list[Summand]:
    """The columns of an input that an amount adds up.

    A column whose name has a sign in it wins over those that are named by its parts.

    Raises
    ------
    DataError
        If the input lacks one; names the nearest column.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rows = SimpleNamespace(headers=["Net - Tax", "Tip"])
    >>> summands(rows, "Net - Tax + Tip")
    [Summand(sign='+', header='Net - Tax'), Summand(sign='+', header='Tip')]
    """
    parts = ["+", *SIGN.split(amount)]
    found = _split(parts, frozenset(rows.headers))
    if found is None:
        known = rows.headers if len(parts) > len("+1") else ()
        wrong = next((part for part in parts[1::2] if part not in known), amount)
        rows.column(wrong)  # raises
        found = [Summand("+", amount)]
    return found


def _split(parts: list[str], headers: Collection[str]) -> list[Summand] | None:
    """Columns that have all parts in their names, the longest first; None if that can't be."""
    if not parts:
        return []
    for end in range(len(parts), 1, -2):
        header = " ".join(parts[1:end])
        rest = _split(parts[end:], headers) if header in headers else None
        if rest is not None:
            return [Summand(parts[0], header), *rest]
    return None
