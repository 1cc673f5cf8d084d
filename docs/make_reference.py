"""Write docs/reference.md: every command from the code, every parameter from params.yaml.

    python docs/make_reference.py

A test fails where the page is not what this writes.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.cli import get_docs_for_click

from evergreen.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
HEAD = """# Reference

Every command and every parameter; what lies where stands in the [README](../README.md). Made from
the code and from `params.yaml` by `python docs/make_reference.py`; a test compares.

## Parameters

They stand in `params.yaml`. What may stand under `source:` for data of your own is told in
[sources.md](sources.md).

| parameter | |
|---|---|
"""
ENTRY = re.compile(r"^(?P<indent> *)(?P<key>\w+):[^#]*(?:# (?P<word>.*))?$")


def reference() -> str:
    """The whole page."""
    rows = parameters((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return HEAD + "\n".join(rows) + "\n\n" + commands()


def parameters(text: str) -> Iterator[str]:
    """A row for each key of params.yaml that has a word beside it."""
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry:
            depth = len(entry["indent"])
            above = [one for one in above if one[0] < depth] + [(depth, entry["key"])]
            if entry["word"]:
                yield f"| `{'.'.join(key for _, key in above)}` | {entry['word']} |"


def commands() -> str:
    """What the commands say of themselves."""
    group = typer.main.get_group(app)
    group.commands = {name: one for name, one in group.commands.items() if not one.hidden}
    context = group.make_context("evergreen", [], resilient_parsing=True)
    told = get_docs_for_click(obj=group, ctx=context, name="evergreen", title="Commands")
    deeper = re.sub(r"(?m)^#", "##", html.unescape(told))
    return deeper.rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
