from pathlib import Path

import pytest
import yaml

from evergreen.errors import SettingsError
from evergreen.settings.editing import edit, overlay
from evergreen.settings.loading import parse_settings

ROOT = Path(__file__).parents[2]
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")


def changed_lines(before, after):
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [new for old, new in pairs if old != new]


@pytest.mark.parametrize(
    ("text", "changes", "edited"),
    [
        ("a: 1  # why\n", {"a": 2}, "a: 2  # why\n"),
        ("a: 1\nb: {c: 1, d: x}\n", {"b.c": 2}, "a: 1\nb: {c: 2, d: x}\n"),
        ("a: x\n", {"a": "complete-journey"}, "a: complete-journey\n"),
        ("a: x\n", {"a": "2017-04-01"}, 'a: "2017-04-01"\n'),
        ("a: x\n", {"a": "yes"}, 'a: "yes"\n'),
        ("a: x\n", {"a": None}, "a: null\n"),
        ("a:\nb: 1\n", {"a": 2}, "a: 2\nb: 1\n"),
        ("a: 'x'\n", {"a": "x"}, "a: 'x'\n"),
        ("a:\n- 1\n- 2\n# b\nc: 1\n", {"a": [3]}, "a: [3]\n# b\nc: 1\n"),
        ("a:\n  b: 1\n\n# c\nd: 1\n", {"a": {}}, "a: {}\n\n# c\nd: 1\n"),
        ("a:\n  b: 1\n# c\nd: 1\n", {"a": {"e": {"f": 1}}}, "a:\n  e:\n    f: 1\n# c\nd: 1\n"),
    ],
)
def test_a_value_changes_and_all_else_stays(text, changes, edited):
    assert edit(text, changes) == edited


@pytest.mark.parametrize("key", ["b", "a.b", "a.b.c"])
def test_a_missing_key_is_refused(key):
    with pytest.raises(SettingsError, match=f"params.yaml has no {key}"):
        edit("a: 1\n", {key: 2})


def read_overlay(name):
    return yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "lines"), [("cdnow", 9), ("simulated", 1)])
def test_an_overlay_changes_its_own_lines_and_keeps_their_comments(name, lines):
    changed = changed_lines(PARAMS, overlay(PARAMS, read_overlay(name)))
    assert len(changed) == lines
    assert all("# " in line for line in changed if "{" not in line)


def leaves(section, prefix=""):
    for key, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@pytest.mark.parametrize("name", ["cdnow", "simulated"])
def test_an_overlay_is_valid_and_holds_only_what_differs(name):
    base, effective = (
        dict(leaves(yaml.safe_load(text))) for text in (PARAMS, overlay(PARAMS, read_overlay(name)))
    )
    assert dict(leaves(read_overlay(name))) == {k: v for k, v in effective.items() if v != base[k]}
    settings = parse_settings(yaml.safe_load(overlay(PARAMS, read_overlay(name))))
    assert settings.source.demo == name


def test_a_demo_replaces_user_tables():
    columns = {"client_id": "c", "timestamp": "t", "amount": "a"}
    tables = {"source": {"transactions": {"files": "*.csv", "columns": columns}}}
    mine = overlay(PARAMS, tables)
    assert parse_settings(yaml.safe_load(mine)).source.transactions.columns.amount == "a"
    assert yaml.safe_load(overlay(mine, read_overlay("cdnow")))["source"] == {"demo": "cdnow"}
