"""Every example in docs/sources.md is one that the settings allow."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from evergreen.ingestion.ingest import preview
from evergreen.settings.columns import (
    AttributeColumns,
    NoteColumns,
    TargetColumns,
    TransactionColumns,
)
from evergreen.settings.loading import parse_settings
from evergreen.settings.presets import companions, preset_names
from evergreen.settings.sources import TableSource

ROOT = Path(__file__).parents[2]
EXPORTS = Path(__file__).with_name("presets")
CHAPTER = (ROOT / "docs/sources.md").read_text()
EXAMPLES = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(source:.*?)```", CHAPTER, re.DOTALL)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_valid(example):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert parse_settings(values | example).source.transactions is not None


SECTIONS = [TableSource, TransactionColumns, NoteColumns, AttributeColumns, TargetColumns]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_shown(section):
    assert [name for name in section.model_fields if name not in CHAPTER] == []


WORKED = re.findall(
    r"```yaml\n(source:\n  preset: [^`]*)```\n\n```text\n(.*?)```", CHAPTER, re.DOTALL
)


@pytest.mark.parametrize(("example", "output"), WORKED, ids=lambda text: text.split()[2])
def test_a_worked_example_prints_what_the_chapter_says(shop, example, output):
    source = yaml.safe_load(example)["source"]
    name = source["preset"]
    path = shop.lay(f"{name}.csv", (EXPORTS / f"{name}.csv").read_bytes())
    source["transactions"]["files"] = str(path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    shown = preview(parse_settings(values | {"source": source}), through=date(2030, 1, 1))
    assert shown.lines == output.splitlines()


def test_each_preset_has_a_worked_example():
    shown = {yaml.safe_load(example)["source"]["preset"] for example, _ in WORKED}
    second = {name for preset in preset_names() for name in companions(preset).values()}
    assert shown == set(preset_names()) - second
    assert [name for name in preset_names() if name not in CHAPTER] == []
