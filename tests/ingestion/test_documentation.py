"""Every example in docs/sources.md is one that the settings allow."""

import re
from pathlib import Path

import pytest
import yaml

from evergreen.settings.loading import parse_settings
from evergreen.settings.sources import (
    AttributeColumns,
    NoteColumns,
    TableSource,
    TargetColumns,
    TransactionColumns,
)

ROOT = Path(__file__).parents[2]
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
