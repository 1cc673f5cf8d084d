"""The reference and the schema match the code, and the README links to every page."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from evergreen.settings.editing import overlay

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
LINK = re.compile(r"\]\((?!http)([^)#\s]+)")


def make_reference():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = make_reference()
PARAMS = (DOCS.parent / "params.yaml").read_text(encoding="utf-8")


def test_the_reference_is_up_to_date():
    written = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert written == REFERENCE.reference(), "python docs/make_reference.py"


def test_the_schema_is_up_to_date():
    written = (DOCS.parent / "params.schema.json").read_text(encoding="utf-8")
    assert written == REFERENCE.schema_text(), "python docs/make_reference.py"


def test_the_settings_name_their_schema():
    assert PARAMS.startswith("# yaml-language-server: $schema=params.schema.json\n")


def fields(node, schema, key=""):
    """The dotted key and the description of everything that can be set."""
    for name, field in node.get("properties", {}).items():
        yield f"{key}{name}", REFERENCE._sentence(REFERENCE._section(schema, field) or field)
        for inner in (field, field.get("additionalProperties", {})):
            section = REFERENCE._section(schema, inner) if isinstance(inner, dict) else None
            yield from fields(section or {}, schema, f"{key}{name}.")


def test_every_parameter_is_described():
    schema = REFERENCE.schema()
    assert [key for key, text in fields(schema, schema) if not text] == []


def leaves(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_every_line_of_the_settings_has_a_comment():
    lines = [line for line in PARAMS.splitlines() if re.match(r" *\w+: +[^{#]", line)]
    assert len(lines) > 50
    assert [line for line in lines if "# " not in line] == []


def test_every_parameter_of_the_settings_is_in_the_reference():
    page = REFERENCE.parameters()
    keys = [k for k in leaves(yaml.safe_load(PARAMS)) if not k.startswith("targets.")]
    assert [key for key in keys if f"| `{key}` |" not in page] == []


@pytest.fixture(scope="module")
def schema_errors():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(REFERENCE.schema())

    def errors(values):
        return [error.message for error in validator.iter_errors(values)]

    return errors


def test_the_schema_accepts_the_settings(schema_errors):
    assert schema_errors(yaml.safe_load(PARAMS)) == []


@pytest.mark.parametrize("config", sorted((DOCS.parent / "configs").glob("*.yaml")), ids=str)
def test_the_schema_accepts_the_settings_of_each_demo(schema_errors, config):
    text = overlay(PARAMS, yaml.safe_load(config.read_text(encoding="utf-8")))
    assert schema_errors(yaml.safe_load(text)) == []


def test_the_schema_accepts_user_tables(schema_errors):
    columns = {"client_id": "c", "timestamp": "t", "amount": "a", "text": ["x", "y"]}
    source = {"transactions": {"files": "*.csv", "columns": columns}}
    assert schema_errors(yaml.safe_load(PARAMS) | {"source": source}) == []


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("gate", "windows_days", 3),
        ("targets", "clv", {"label": "net_spend", "horizon": 3}),
        ("holdout", "share", 0.9),
        ("full_retrain", "as_of", 20170401),
        ("source", "demo", "magic"),
    ],
)
def test_the_schema_refuses_what_the_settings_refuse(schema_errors, section, key, value):
    values = yaml.safe_load(PARAMS)
    values[section][key] = value
    assert schema_errors(values) != []


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readme_links_to_every_page():
    text = README.read_text(encoding="utf-8")
    assert [p.name for p in DOCS.glob("*.md") if f"docs/{p.name}" not in text] == []
