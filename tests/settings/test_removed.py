from pathlib import Path

import pytest
import yaml

from evergreen.errors import SettingsError
from evergreen.settings import removed
from evergreen.settings.loading import load_settings, parse_settings

PARAMS = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture
def old_file(tmp_path):
    """Settings of an earlier version, with a section that was removed."""
    section = "estimators:\n  hist_gradient_boosting: {iterations: 200}\n"
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.replace("estimators:  ", f"{section}  #", 1), encoding="utf-8")
    return path


def test_a_removed_section_is_ignored(old_file):
    assert load_settings(old_file) == parse_settings(yaml.safe_load(PARAMS))


def test_a_removed_section_is_named_in_a_hint(old_file):
    [hint] = removed.hints(old_file)
    assert hint.startswith(f"{old_file}: estimators.hist_gradient_boosting: ")
    assert hint.endswith("this estimator was removed, and its settings are ignored")


def test_a_comment_about_a_removed_section_is_no_hint(tmp_path):
    (tmp_path / "params.yaml").write_text(f"# no hist_gradient_boosting\n{PARAMS}")
    assert removed.hints(tmp_path / "params.yaml") == []


def test_a_file_that_is_not_yaml_has_no_hints(tmp_path):
    (tmp_path / "params.yaml").write_text("hist_gradient_boosting: [")
    assert removed.hints(tmp_path / "params.yaml") == []


def test_a_target_of_a_removed_estimator_is_refused_with_another():
    values = yaml.safe_load(PARAMS)
    values["targets"]["clv"]["estimator"] = "hist_gradient_boosting"
    with pytest.raises(SettingsError, match=r"'hist_gradient_boosting' was removed; use lightgbm"):
        parse_settings(values)
