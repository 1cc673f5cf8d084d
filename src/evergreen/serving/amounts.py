"""A caller's amounts as exact minor units: the same number or text gives what a file would give."""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.ingestion.cells import CellError, number_text
from evergreen.ingestion.money import read_money, settle_sign
from evergreen.serving.errors import EventsError

if TYPE_CHECKING:
    from evergreen.ingestion.money import Sign

ROUNDING_ERROR = 4 * np.finfo(np.float64).eps


def minor_amounts(where: str, amounts: pd.Series, minor_units: int) -> np.ndarray:
    """Amounts in minor units, rounded once and half away from zero.

    Parameters
    ----------
    amounts
        Major units as numbers, `decimal.Decimal` or text.

    Returns
    -------
    numpy.ndarray
        float64 (n,); NaN where there is no amount.

    Raises
    ------
    EventsError
        If the decimal separator of texts can't be told, or there are several currencies.
    """
    if pd.api.types.is_numeric_dtype(amounts) and not pd.api.types.is_bool_dtype(amounts):
        if amounts.dtype == np.float32:  # 12.1 is meant, not 12.1000003815
            amounts = amounts.astype(str).astype(np.float64)
        return _of_numbers(amounts.to_numpy(np.float64, na_value=np.nan), minor_units)
    return _of_cells(where, amounts.tolist(), minor_units)


def _of_numbers(numbers: np.ndarray, minor_units: int) -> np.ndarray:
    """Round products of floats; where one is near a half, round the exact decimal instead."""
    with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses what is not finite
        minor = numbers * minor_units
        rounded: np.ndarray = np.round(minor)
        from_half = np.abs(np.abs(minor - np.trunc(minor)) - 0.5)
        unclear = from_half <= ROUNDING_ERROR * np.maximum(np.abs(minor), 1)
    for place in np.flatnonzero(unclear):
        rounded[place] = _rounded(Decimal(repr(float(numbers[place]))), minor_units)
    return rounded


def _of_cells(where: str, cells: list[object], minor_units: int) -> np.ndarray:
    sign = settle_sign(cell for cell in cells if isinstance(cell, str))
    if sign == "?":
        raise EventsError(
            f"{where}: amount has numbers such as 1,234 or 1.234, whose comma or point could "
            "precede decimals or thousands",
            "pass numbers, or texts without thousands separators",
        )
    minor: dict[object, float] = {}
    currencies: Counter[str] = Counter()
    for cell in dict.fromkeys(cells):
        minor[cell], currency = _of_cell(cell, sign or ".", minor_units)
        currencies.update([currency] if currency else [])
    if len(currencies) > 1:
        raise EventsError(
            f"{where}: amounts are in {len(currencies)} currencies ({', '.join(currencies)})",
            "pass one currency only: amounts in different ones can't be added up",
        )
    return np.array([minor[cell] for cell in cells], dtype=np.float64)


def _of_cell(cell: object, sign: Sign, minor_units: int) -> tuple[float, str | None]:
    if isinstance(cell, str):
        text = cell
    elif isinstance(cell, int | float | Decimal | np.number) and not isinstance(cell, bool):
        text, sign = number_text(cell), "."  # type: ignore[arg-type]
    else:
        return np.nan, None
    try:
        money = read_money(text, sign)
    except CellError:
        return np.nan, None
    return (_rounded(money.amount, minor_units), money.currency) if money else (np.nan, None)


def _rounded(amount: Decimal, minor_units: int) -> float:
    return float((amount * minor_units).to_integral_value(ROUND_HALF_UP))
