"""Filters of rows: SQL conditions on the columns of a source, whose cells are texts.

A condition is parsed by DuckDB and translated piece by piece, so it can neither query a table nor
call a function that reads anything. The types that its constants, casts and functions imply decide
how a column is read: ``Total > 0`` compares numbers, not texts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Kind = Literal["text", "nullable text", "number", "date", "truth"]
"""How the cells of a column are read.

A blank cell is an empty text, or null where that is asked for; it is false, but no number or date.
"""
NAMES: dict[Kind, str] = {
    "number": "a number",
    "date": "a date (YYYY-MM-DD)",
    "truth": "true or false",
}
COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "is distinct from",
    "COMPARE_NOT_DISTINCT_FROM": "is not distinct from",
}
BY_ORDER = {"<", ">", "<=", ">="}
NUMBERS = ("DECIMAL", "NUMERIC", "INTEGER", "INT", "BIGINT", "DOUBLE", "FLOAT", "REAL")
TYPES: dict[str, Kind] = {
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "DATETIME"), "date"),
    **dict.fromkeys(("VARCHAR", "TEXT", "STRING", "CHAR"), "text"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "truth"),
}
SQL_TYPES = {"number": "decimal(28, 10)", "date": "timestamp", "truth": "boolean"}
"""What a column or a cast of each kind gives."""
OPERATORS = {"~~": "like", "!~~": "not like", "~~*": "ilike", "!~~*": "not ilike", "||": "||"}
ARITHMETIC = {"+", "-", "*", "/", "%"}
FUNCTIONS: dict[str, tuple[Kind, tuple[Kind, ...]]] = {
    "lower": ("text", ("text",)),
    "upper": ("text", ("text",)),
    "trim": ("text", ("text", "text")),
    "ltrim": ("text", ("text", "text")),
    "rtrim": ("text", ("text", "text")),
    "replace": ("text", ("text", "text", "text")),
    "left": ("text", ("text", "number")),
    "right": ("text", ("text", "number")),
    "substr": ("text", ("text", "number", "number")),
    "substring": ("text", ("text", "number", "number")),
    "split_part": ("text", ("text", "text", "number")),
    "length": ("number", ("text",)),
    "abs": ("number", ("number",)),
    "round": ("number", ("number", "number")),
    "year": ("number", ("date",)),
    "month": ("number", ("date",)),
    "day": ("number", ("date",)),
    "contains": ("truth", ("text", "text")),
    "starts_with": ("truth", ("text", "text")),
    "ends_with": ("truth", ("text", "text")),
    "regexp_matches": ("truth", ("text", "text")),
    "regexp_full_match": ("truth", ("text", "text")),
    "like_escape": ("truth", ("text", "text", "text")),
    "ilike_escape": ("truth", ("text", "text", "text")),
}
"""What each function gives, and its arguments, of which the last ones may be left out."""
_NUMBER = re.compile(r"\W*[0-9]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T][0-9:.]+)?")


@dataclass(frozen=True)
class _Term:
    """A piece of a condition: SQL of a kind, or a column, a text or null, which can be several.

    Attributes
    ----------
    kind
        None where the other operands decide.
    """

    sql: str
    kind: Kind | None = None
    column: str | None = None
    constant: str | None = None


@dataclass
class Condition:
    """A condition in SQL.

    Attributes
    ----------
    sql
        True for the rows to keep; null where a cell that it compares is blank or not readable.
    columns
        The columns that it names, each with the kinds as which they are read.
    """

    sql: str = ""
    columns: dict[str, set[Kind]] = field(default_factory=dict)


def translate(text: str, read: Callable[[str, Kind], str]) -> Condition:
    """Translate a condition on the columns of a source.

    Parameters
    ----------
    read
        Gives SQL of the cells of a column as a kind.

    Raises
    ------
    ValueError
        If the text is not a condition, or uses more than columns, constants and plain functions.
    """
    translator = _Translator(read)
    term = translator.term(_parsed(text))
    condition = translator.condition
    condition.sql = translator.coerced(term, "truth")
    return condition


def check(text: str) -> Condition:
    """Translate a condition without knowing the columns of its source, and try it.

    Raises
    ------
    ValueError
        As `translate`, or if DuckDB refuses it.
    """
    import duckdb  # noqa: PLC0415 - few settings have a filter

    condition = translate(
        text, lambda _, kind: f"try_cast(cell as {SQL_TYPES.get(kind, 'varchar')})"
    )
    try:
        duckdb.connect().execute(f"select {condition.sql} from (values ('1'), (null)) as t(cell)")
    except duckdb.Error as error:
        raise ValueError(f"not a condition in SQL: {str(error).splitlines()[0]}") from None
    return condition


def _parsed(text: str) -> Any:  # noqa: ANN401 - a tree of JSON
    import duckdb  # noqa: PLC0415 - few settings have a filter

    [(answer,)] = duckdb.execute(
        "select json_serialize_sql(?)", [f"select (\n{text}\n)"]
    ).fetchall()
    tree = json.loads(answer)
    if tree["error"]:
        raise ValueError(
            f"not a condition in SQL: {tree['error_message']} (put the name of a column in double "
            "quotes if it has blanks or is a word of SQL, such as group)"
        )
    nodes = [statement["node"] for statement in tree["statements"]]
    shapes = [(len(n.get("select_list", ())), n["from_table"]["type"]) for n in nodes]
    if shapes != [(1, "EMPTY")]:
        raise ValueError("not a condition in SQL: it holds a query")
    return nodes[0]["select_list"][0]


class _Translator:
    """Translates the tree of a condition."""

    def __init__(self, read: Callable[[str, Kind], str]) -> None:
        self.condition = Condition()
        self._read = read

    def term(self, node: Any) -> _Term:  # noqa: ANN401 - a tree of JSON
        translate = {
            "CONSTANT": self._constant,
            "COLUMN_REF": self._column,
            "COMPARISON": self._comparison,
            "BETWEEN": self._between,
            "CONJUNCTION": self._conjunction,
            "OPERATOR": self._operator,
            "CAST": self._cast,
            "FUNCTION": self._function,
        }.get(node["class"])
        if translate is None:
            what = {"SUBQUERY": "a query", "WINDOW": "a window function", "STAR": "*"}
            raise ValueError(f"{what.get(node['class'], node['class'].lower())} is not allowed")
        return translate(node)

    def coerced(self, term: _Term, kind: Kind) -> str:
        """SQL of a term as a kind."""
        if term.column is not None:
            self.condition.columns.setdefault(term.column, set()).add(kind)
            return self._read(term.column, kind)
        if term.constant is not None and kind == "date":
            if not _DATE.fullmatch(term.constant):
                raise ValueError(f"'{term.constant}' is not a date (expected YYYY-MM-DD)")
            return f"timestamp '{term.constant}'"
        if term.kind in (None, kind) or "nullable text" in (term.kind, kind):
            return term.sql
        raise ValueError(f"{term.sql} is not {NAMES.get(kind, 'a text')}")

    def _constant(self, node: Any) -> _Term:  # noqa: ANN401
        kind, text = node["literal"]["kind"], node["literal"]["text"]
        if kind == "STRING":
            return _Term("'" + text.replace("'", "''") + "'", "text", constant=text)
        if kind in ("INTEGER", "NUMERIC"):
            return _Term(text, "number")
        return _Term(text, "truth") if kind == "BOOLEAN" else _Term("null")

    def _column(self, node: Any) -> _Term:  # noqa: ANN401
        names = node["column_names"]
        if len(names) > 1:
            raise ValueError(f'write "{".".join(names)}" if that is the name of a column')
        return _Term(names[0], column=names[0])

    def _comparison(self, node: Any) -> _Term:  # noqa: ANN401
        sign = COMPARISONS[node["type"]]
        left, right = self._alike([node["left"], node["right"]], by_order=sign in BY_ORDER)
        return _Term(f"({left} {sign} {right})", "truth")

    def _between(self, node: Any) -> _Term:  # noqa: ANN401
        nodes = [node["input"], node["lower"], node["upper"]]
        value, lower, upper = self._alike(nodes, by_order=True)
        return _Term(f"({value} between {lower} and {upper})", "truth")

    def _alike(self, nodes: Iterable[Any], *, by_order: bool = False) -> list[str]:
        """SQL of operands as the kind that they have in common."""
        terms = [self.term(node) for node in nodes]
        kinds = {term.kind for term in terms if term.kind and term.constant is None}
        texts = [term.constant for term in terms if term.constant is not None]
        if by_order and kinds <= {"text", "nullable text"}:
            number = next((t for t in texts if _NUMBER.match(t) and not _DATE.fullmatch(t)), None)
            if number is not None:
                raise ValueError(
                    f"'{number}' would be compared as a text; write numbers without quotes, and "
                    "dates as 'YYYY-MM-DD'"
                )
            if texts and all(map(_DATE.fullmatch, texts)):
                kinds = {"date"}
            elif not texts and not kinds:
                columns = " and ".join(str(term.column) for term in terms)
                raise ValueError(
                    f"{columns} are compared as texts; write "
                    f'"{terms[0].column}"::decimal or "{terms[0].column}"::date'
                )
        kind: Kind = next(iter(kinds), "text")
        return [self.coerced(term, kind) for term in terms]

    def _conjunction(self, node: Any) -> _Term:  # noqa: ANN401
        word = " and " if node["type"] == "CONJUNCTION_AND" else " or "
        parts = [self.coerced(self.term(child), "truth") for child in node["children"]]
        return _Term(f"({word.join(parts)})", "truth")

    def _operator(self, node: Any) -> _Term:  # noqa: ANN401
        kind, children = node["type"], node["children"]
        if kind == "OPERATOR_NOT":
            return _Term(f"(not {self.coerced(self.term(children[0]), 'truth')})", "truth")
        if kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
            term = self.term(children[0])
            value = self.coerced(term, "nullable text") if term.column else term.sql
            return _Term(f"({value} is {'not ' * ('NOT' in kind)}null)", "truth")
        if kind == "COMPARE_IN":
            value, *options = self._alike(children)
            return _Term(f"({value} in ({', '.join(options)}))", "truth")
        if kind == "OPERATOR_COALESCE":
            terms = [self.term(child) for child in children]
            common: Kind = next((t.kind for t in terms if t.kind), "text")
            read: Kind = "nullable text" if common == "text" else common
            return _Term(f"coalesce({', '.join(self.coerced(t, read) for t in terms)})", common)
        raise ValueError(f"{kind.lower().replace('_', ' ')} is not allowed")

    def _cast(self, node: Any) -> _Term:  # noqa: ANN401
        name = node["type_expr"]["type_name"].upper()
        kind = TYPES.get(name)
        if kind is None:
            raise ValueError(f"a cast to {name} is not allowed")
        term = self.term(node["child"])
        if term.column is None and kind != "text" and not (kind == "date" and term.constant):
            value = f"try_cast({term.sql} as {SQL_TYPES[kind]})"
        else:
            value = self.coerced(term, kind) if term.column or kind == "date" else term.sql
        return _Term(f"date_trunc('day', {value})" if name == "DATE" else value, kind)

    def _function(self, node: Any) -> _Term:  # noqa: ANN401
        name = node["function_name"].lower()
        terms = [self.term(argument["expression"]) for argument in node["arguments"]]
        if name in ARITHMETIC:
            return self._arithmetic(name, [self.coerced(term, "number") for term in terms])
        if name in OPERATORS:
            left, right = (self.coerced(term, "text") for term in terms)
            return _Term(f"({left} {OPERATORS[name]} {right})", "text" if name == "||" else "truth")
        gives, kinds = FUNCTIONS.get(name, (None, ()))
        if gives is None or len(terms) > len(kinds) or node["schema"] or node["filter"]:
            known = ", ".join(sorted(FUNCTIONS))
            raise ValueError(f"the function {name} is not allowed; allowed are {known}")
        values = [
            f"({self.coerced(term, kind)})::int"
            if kind == "number" and number
            else self.coerced(term, kind)
            for number, (term, kind) in enumerate(zip(terms, kinds, strict=False))
        ]
        return _Term(f"{name}({', '.join(values)})", gives)

    def _arithmetic(self, sign: str, values: list[str]) -> _Term:
        if sign in "*/%" and len(values) > 1:  # the product of two decimals can be too long for one
            values = [f"{value}::double" for value in values]
        result = f"{sign}{values[0]}" if len(values) == 1 else f" {sign} ".join(values)
        return _Term(f"try_cast(round(try({result}), 6) as {SQL_TYPES['number']})", "number")
