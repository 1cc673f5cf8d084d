"""Which canonical column of transactions comes from which column of an input."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from evergreen.core.events.transactions import TOO_LARGE, invoice_id, missing
from evergreen.ingestion.amounts import summands
from evergreen.ingestion.conversion import blank_sql, filled_sql
from evergreen.ingestion.header_row import joined_header
from evergreen.ingestion.mapping import MOST_UNITS, QUICK, SQL_TYPES, CellRules, Mapper, is_quick
from evergreen.ingestion.money import CURRENCY_NAMED, currency_sql
from evergreen.settings import currencies
from evergreen.store import sql

if TYPE_CHECKING:
    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input
    from evergreen.settings.columns import TransactionColumns

ALREADY_NEGATIVE = "amount is negative already, but `sign: negative` is set"


def money_headers(columns: TransactionColumns, rows: Input) -> list[str]:
    """The columns of an input that hold money; raises as `number_headers`."""
    if columns.price is not None:
        return [columns.price]
    amount = columns.amount
    return [s.header for s in summands(rows, amount)] if isinstance(amount, str) else []


class TransactionMapper(Mapper):
    """Maps the columns that transactions alone have."""

    def amount(self, amount: str | float) -> str:
        """Map the column with the amount, a sum of columns, or a constant.

        A blank cell of a sum is 0, unless all its cells are blank.

        Returns
        -------
        str
            The column to blame for an amount.
        """
        if not isinstance(amount, str):
            self["amount"] = f"{Decimal(str(amount))}::{SQL_TYPES['amount']}"
            self["currency"] = "null::varchar"
            return ""
        parts = summands(self._rows, amount)
        first = parts[0].header
        if len(parts) == 1:
            self.number("amount", first, required=True)
            self["currency"] = currency_sql(self.cell(first), is_quick("amount"))
            return first
        for number, (_, header) in enumerate(parts):
            self.number(f"amount_{number}", header, required=False)
        roles = [f"amount_{number}" for number in range(len(parts))]
        total = " ".join(f"{p.sign} coalesce({r}, 0)" for p, r in zip(parts, roles, strict=True))
        self["amount"] = (
            f"case when coalesce({', '.join(roles)}) is not null "
            f"then try_cast({total} as {SQL_TYPES['amount']}) end"
        )
        self.check(first, f"coalesce({', '.join(roles)}) is null", missing("amount").reason)
        beside = ", ".join(
            currency_sql(self.cell(p.header), is_quick(r))
            for p, r in zip(parts, roles, strict=True)
        )
        self["currency"] = f"least({beside})"
        self["other_currency"] = f"greatest({beside})"
        self.check(first, "currency <> other_currency", "amount is in more than one currency")
        return first

    def minor_units(self, product: str, units: int) -> str:
        """SQL of an amount in minor units, rounded once, half away from zero.

        Wide decimals are slow to round, so numbers with few digits do without them.
        """
        exact = f"try_cast(try({product} * {units}) as bigint)"
        roles = [role for role in QUICK if role in self._quick_cells and role in product]
        if units > MOST_UNITS or not roles:
            return exact
        for role in roles:
            digits, decimals = QUICK[role]
            kind = f"decimal({digits + decimals}, {decimals})"
            product = product.replace(role, f"try_cast({self._quick_cells[role]} as {kind})")
        few = " and ".join(map(is_quick, roles))
        return f"case when {few} then ({product} * {units})::bigint else {exact} end"

    def currency(self, header: str | None) -> None:
        """Map the column with the currency, which holds where none is beside the amount.

        Without a setting, a column with a name such as Currency is read where it is not blank.
        """
        named = [name for name in self._rows.headers if name.lower() in currencies.HEADERS]
        column = header or (named[0] if len(named) == 1 else None)
        if column is None:
            return
        cell = self.cell(column)
        self["beside_amount"] = self.conversion.columns["currency"]
        codes = ", ".join(map(sql.literal, sorted(currencies.CODES)))
        self["named_currency"] = f"if({cell} in ({codes}), {cell}, {CURRENCY_NAMED}({cell}))"
        self["currency"] = "coalesce(named_currency, beside_amount)"
        if header is not None:
            self.check(header, blank_sql("named_currency", cell), missing("currency").reason)
            self.check(header, "named_currency is null", "currency is not a currency of ISO 4217")
        one_of_several = ", ".join(map(sql.literal, currencies.SHARED))
        other = f"beside_amount <> named_currency and beside_amount not in ({one_of_several})"
        self.check(column, other, "currency is another one than beside the amount")


def transactions(
    rows: Input,
    columns: TransactionColumns,
    rules: CellRules,
    *,
    minor_units: int,
    returns: bool = False,
    per_order: bool = False,
) -> Conversion:
    """The canonical columns of transactions.

    Parameters
    ----------
    formats, decimal
        As for `Mapper`.
    minor_units
        How many minor units of money make a major one.
    returns
        Whether amounts and quantities are those of returns, written without a sign.
    per_order
        Whether an amount is the total of its order, so that the invoice is the row's id.
    """
    mapper = TransactionMapper(rows, rules)
    mapper.client_id(columns.client_id)
    mapper.date("timestamp", joined_header(columns.timestamp))
    if columns.quantity is not None:
        mapper.number("quantity", columns.quantity, required=bool(columns.price))
    if columns.quantity is not None and returns:
        mapper["quantity"] = f"-abs({mapper.conversion.columns['quantity']})"
    if columns.price is None:
        money, product = mapper.amount(columns.amount or 0), "amount"
    else:
        money, product = columns.price, "price * abs(quantity)" if returns else "price * quantity"
        mapper.number("price", money, required=True)
        mapper["currency"] = currency_sql(mapper.cell(money), is_quick("price"))
    mapper.currency(columns.currency)
    sign = "-" if returns else ""
    mapper["amount_minor"] = sign + mapper.minor_units(product, minor_units)
    beyond_int64 = "amount_minor is null"
    if money and returns:
        mapper.check(money, "amount_minor > 0", ALREADY_NEGATIVE)
    if money:
        mapper.check(money, f"{beyond_int64} or {TOO_LARGE.fails}", TOO_LARGE.reason)
    mapper.joined_text(columns.text)
    if columns.invoice_id is not None:
        mapper.id("invoice", columns.invoice_id, required=False)
    mapper["invoice_id"] = invoice_id("invoice" if columns.invoice_id else "null")
    if columns.row_id is not None:
        mapper.id("row_id", columns.row_id, required=True)
        mapper.conversion.key = columns.row_id
    if columns.amount is not None and columns.invoice_id is not None:
        mapper.conversion.per_order = per_order
    if columns.invoice_id is not None and per_order:
        mapper["row_id"] = "invoice"
        mapper.conversion.key = columns.invoice_id
        mapper.check(columns.invoice_id, "invoice is null", missing("invoice_id").reason)
        cells = [filled_sql(mapper.cell(header)) for header in money_headers(columns, rows)]
        mapper.conversion.blank_amount = " and ".join(f"{c} is null" for c in cells) or "false"
    mapper.happened_by(columns.ingested_on)
    return mapper.conversion


def of_table(conversion: Conversion, name: str) -> None:
    """Name the table of transactions, and tell its row ids from those of other tables."""
    conversion.columns["source_table"] = sql.literal(name)
    if "row_id" in conversion.columns:
        row_id = conversion.columns["row_id"]
        conversion.columns["row_id"] = f"{sql.literal(name + '/')} || ({row_id})"
