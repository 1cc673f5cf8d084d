"""Write docs/reference.md and params.schema.json from the code.

    python docs/make_reference.py

A test fails if either file is out of date.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic.json_schema import GenerateJsonSchema
from typer.cli import get_docs_for_click

from evergreen.cli.commands import app
from evergreen.settings.pipeline import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
SCHEMA = ROOT / "params.schema.json"
HEAD = """# Reference

All parameters and all commands. `python docs/make_reference.py` writes this page from the code.

## Parameters

All parameters are in `params.yaml`. Unknown keys are refused, and a parameter without a default is
required. Editors that understand JSON schemas complete and check the file with
`params.schema.json`. In the tables, `NAME` is a name of your choice, and `TABLE` any table of
`source`.
"""
TABLE = "| parameter | type | default | allowed | meaning |\n|---|---|---|---|---|\n"
TYPES = {"string": "text", "boolean": "true or false", "object": "mapping"}
TABLES = ["transactions", "notes", "attributes", "outcomes", "predictions"]
PAGE_NAME = re.compile(r"\b(\w+\.md)\b")

Node = dict[str, Any]
Row = tuple[str, str]
"""A key, and the other cells."""


class UntitledFields(GenerateJsonSchema):
    """A schema whose fields have no title, as it would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002, D102
        return False


def schema() -> Node:
    """The JSON schema of params.yaml."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | Settings.model_json_schema(schema_generator=UntitledFields)


def schema_text() -> str:
    """The schema as it is written to the file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def reference() -> str:
    """The whole page."""
    return HEAD + parameters() + "\n" + commands()


def parameters() -> str:
    """A table of the values at the top level, and one for each section."""
    whole = schema()
    top, sections = [], []
    for name, field in whole["properties"].items():
        section = _section(whole, field)
        if section is None:
            top += _rows(whole, {name: field})
        else:
            rows = _merged(_rows(whole, section["properties"], f"{name}."))
            about = PAGE_NAME.sub(r"[\1](\1)", _sentence(section))
            sections.append(f"\n### `{name}`\n\n{about}.\n\n{_table(rows)}")
    return f"\n{_table(top)}" + "".join(sections)


def _rows(whole: Node, fields: Node, prefix: str = "") -> Iterator[Row]:
    """A row for each field, and for those inside a section."""
    for name, field in fields.items():
        key, section = f"{prefix}{name}", _section(whole, field)
        inner = field.get("additionalProperties", {})
        entry = _section(whole, inner) if isinstance(inner, dict) else None
        if section:
            yield key, f"section | | | {_sentence(section)}"
            yield from _rows(whole, section["properties"], f"{key}.")
        else:
            cells = (_type(field), _default(field), _allowed(field), _sentence(field))
            yield key, " | ".join(cell.replace("|", r"\|") for cell in cells)
        if entry:
            yield from _rows(whole, entry["properties"], f"{key}.NAME.")


def _merged(rows: Iterable[Row]) -> list[Row]:
    """One row for what all tables of `source:` have in common."""
    of_any = {f"source.{table}.": "source.TABLE." for table in TABLES}
    renamed = [
        (key, (next((key.replace(a, b) for a, b in of_any.items() if key.startswith(a)), key), c))
        for key, c in rows
    ]
    times = Counter(row for _, row in renamed)
    merged = [row if times[row] == len(TABLES) else (key, row[1]) for key, row in renamed]
    return list(dict.fromkeys(merged))


def _section(whole: Node, field: Node) -> Node | None:
    """The section that a field holds, alone or as an alternative to nothing or to a list."""
    if "$ref" in field:
        section: Node = whole["$defs"][field["$ref"].rpartition("/")[2]]
        return section
    alternatives = [*field.get("anyOf", ()), *field.get("oneOf", ())]
    return next(filter(None, (_section(whole, node) for node in alternatives)), None)


def _sentence(node: Node) -> str:
    text = " ".join(node.get("description", "").partition("\n\n")[0].split())
    return text.rstrip(".").replace("``", "`")


def _type(field: Node) -> str:
    if "anyOf" in field:
        return " or ".join(_type(a) for a in field["anyOf"] if a.get("type") != "null")
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    return "date" if field.get("format") == "date" else TYPES.get(field["type"], field["type"])


def _default(field: Node) -> str:
    if "default" not in field:
        return "required"
    default = field["default"]
    if default in (None, {}):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _allowed(field: Node) -> str:
    if "anyOf" in field:
        return " or ".join(filter(None, map(_allowed, field["anyOf"])))
    if "items" in field:
        return _allowed(field["items"])
    choices = field.get("enum", [field["const"]] if "const" in field else [])
    if choices:
        return ", ".join(f"`{json.dumps(choice)[1:-1]}`" for choice in choices)
    if "minimum" in field and "maximum" in field:
        return f"{_number(field['minimum'])} to {_number(field['maximum'])}"
    limits = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="),
              ("exclusiveMaximum", "<"))  # fmt: skip
    return ", ".join(f"{sign} {_number(field[name])}" for name, sign in limits if name in field)


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _table(rows: Iterable[Row]) -> str:
    return TABLE + "".join(f"| `{key}` | {cells} |\n" for key, cells in rows)


def commands() -> str:
    """What the commands print about themselves."""
    group = typer.main.get_group(app)
    group.commands = {name: one for name, one in group.commands.items() if not one.hidden}
    context = group.make_context("evergreen", [], resilient_parsing=True)
    text = get_docs_for_click(obj=group, ctx=context, name="evergreen", title="Commands")
    return re.sub(r"(?m)^#", "##", html.unescape(text)).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
