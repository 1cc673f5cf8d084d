"""What a valid transaction is: the one definition for ingestion, Python and HTTP.

Ingestion checks rows in SQL, serving checks them as arrays; both forms of a rule are here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("client_id", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us"), nullable=False),
        pa.field("amount_minor", pa.int64(), nullable=False),
        pa.field("quantity", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("invoice_id", pa.string(), nullable=False),
        pa.field("ingested_on", pa.date32(), nullable=False),
    ]
)
"""The canonical columns."""
SOURCE_TABLE, ROW_ID = pa.field("source_table", pa.string()), pa.field("row_id", pa.string())
SCHEMA_BY_ID = SCHEMA.append(ROW_ID)
"""With the row's id in the source, where it has one: a changed row corrects the ingested one."""
SCHEMA_BY_TABLE = SCHEMA.append(SOURCE_TABLE)
"""With the table that the row comes from, where one of several has a name: it is null for the
others, whose equal rows are other events."""
SCHEMA_BY_TABLE_AND_ID = SCHEMA_BY_TABLE.append(ROW_ID)

CLIENT_ID = re.compile(r"\S")
"""What the id of a client has to match."""

MAX_AMOUNT_MINOR = 10**14
"""The largest amount, in minor units of money, whatever its sign."""


class Rule(NamedTuple):
    """A reason to refuse a row, and SQL over the canonical columns that is true for such a row."""

    column: str
    reason: str
    fails: str


TOO_LARGE = Rule(
    "amount_minor", "amount_minor exceeds 10^14", f"abs(amount_minor) > {MAX_AMOUNT_MINOR}"
)
TOO_EARLY = Rule(
    "ingested_on", "timestamp is after ingested_on", "timestamp::date > ingested_on::date"
)


def missing(column: str, fails: str | None = None) -> Rule:
    """The rule that a column holds a value; `fails` where null is not the only empty value."""
    return Rule(column, f"{column} is missing", fails or f"{column} is null")


RULES = (
    missing("client_id", "client_id is null or trim(client_id) = ''"),
    missing("timestamp"),
    missing("amount_minor"),
    TOO_LARGE,
    missing("ingested_on"),
    TOO_EARLY,
)
"""All rules, in the order in which they are checked: the first that fails gives the reason."""


def invoice_id(number: str = "invoice_id") -> str:
    """SQL of the invoice key: without a number, a client's rows of one time are one invoice."""
    return f"coalesce({number}, client_id || '@' || timestamp::varchar)"


def valid_amounts(amount_minor: np.ndarray) -> np.ndarray:
    """Which amounts are not missing and not too large: bool (n,), of float64 (n,)."""
    valid: np.ndarray = np.abs(amount_minor) <= MAX_AMOUNT_MINOR
    return valid


def valid_times(days: np.ndarray, ingested_on: np.ndarray) -> np.ndarray:
    """Which rows happened on the day they became known or before: bool (n,), of days (n,)."""
    valid: np.ndarray = days <= ingested_on
    return valid
