"""docs/reference.md says what the code says, and every page is found from the README."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
LINK = re.compile(r"\]\((?!http)([^)#\s]+)")


def make_reference():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says():
    written = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert written == make_reference().reference(), "python docs/make_reference.py"


def leaves(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_every_parameter_has_a_word():
    text = (DOCS.parent / "params.yaml").read_text(encoding="utf-8")
    named = "\n".join(make_reference().parameters(text))
    told = [
        key for key in leaves(yaml.safe_load(text)) if not key.startswith(("targets", "source"))
    ]
    assert [key for key in told if f"| `{key}` |" not in named] == []


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_is_found_from_the_readme():
    text = README.read_text(encoding="utf-8")
    assert [p.name for p in DOCS.glob("*.md") if f"docs/{p.name}" not in text] == []
