from datetime import date
from pathlib import Path

import pytest
import yaml

from evergreen.errors import SettingsError
from evergreen.settings.loading import load_settings, parse_settings, with_simulation

COMMITTED = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def values():
    return yaml.safe_load(COMMITTED.read_text())


def changed(values, key, value):
    *parents, last = key.split(".")
    section = values
    for parent in parents:
        section = section[parent]
    section[last] = value
    return values


def test_the_committed_settings_are_valid():
    settings = load_settings(COMMITTED)
    assert settings.as_of == date(2017, 4, 1)
    assert [t.kind for t in settings.targets.values()] == ["binary", "binary", "regression"]


def test_every_setting_is_written_out_so_that_dvc_can_compare_it(values):
    apart = {"source": {"simulation"}}
    assert parse_settings(values).model_dump(mode="json", exclude=apart) == values


def test_the_committed_settings_are_the_defaults(values):
    """But for what has none: a default is in the typed settings alone."""
    sections = {name for name, value in values.items() if isinstance(value, dict)}
    bare = values | {name: {} for name in sections - {"full_retrain", "targets", "source"}}
    assert parse_settings(bare) == parse_settings(values)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gate.windows_days", 3, "gate.windows_days: unknown key, did you mean 'window_days'?"),
        ("sede", 3, "sede: unknown key, did you mean 'seed'?"),
        (
            "targets.clv.horizon",
            28,
            "targets.clv.horizon: unknown key, did you mean 'horizon_days'",
        ),
        ("seed", "seven", "seed: found 'seven'; input should be a valid integer"),
        ("seed", 1.0, "seed: found 1.0; input should be a valid integer"),
        (
            "holdout.share",
            0.9,
            "holdout.share: found 0.9; input should be less than or equal to 0.5",
        ),
        ("holdout.share", 0, "holdout.share: found 0; input should be greater than 0"),
        ("as_of", "someday", "as_of: 'someday' is not a date (expected YYYY-MM-DD)"),
        ("snapshots.every_days", 0, "snapshots.every_days: found 0; input should be greater than"),
        (
            "targets.clv.label",
            "profit",
            "targets.clv.label: found 'profit'; input should be 'purch",
        ),
        ("targets.clv.estimator", "magic", "targets.clv.estimator: found 'magic'; input should be"),
        (
            "features.windows_days",
            [7, 7],
            "features.windows_days: found [7, 7]; must be increasing",
        ),
        (
            "estimators.lightgbm.rounds",
            0,
            "estimators.lightgbm.rounds: found 0; input should be gre",
        ),
        ("targets", {}, "targets: found {}; dictionary should have at least 1 item"),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_what_is_allowed(values, key, value, message):
    with pytest.raises(SettingsError) as error:
        parse_settings(changed(values, key, value))
    assert message in str(error.value)
    assert "Next: edit params.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "targets.churn.horizon_days",
            3,
            "targets.churn.horizon_days is 3, allowed: at least 7, the horizon of targets.purchase",
        ),
        (
            "full_retrain.as_of",
            "2017-05-01",
            "full_retrain.as_of is 2017-05-01, allowed: at most as_of, which is 2017-04-01",
        ),
        (
            "gate.max_window_days",
            7,
            "max_window_days is 7, allowed: at least window_days, which is 14",
        ),
        ("gate.max_rows", 499, "max_rows is 499, allowed: at least min_rows, which is 500"),
        (
            "incremental.max_rows",
            49,
            "max_rows is 49, allowed: at least min_new_labels, which is 50",
        ),
        ("drift.max_rows", 99, "max_rows is 99, allowed: at least min_clients, which is 100"),
    ],
)
def test_contradictions_are_refused(values, key, value, message):
    with pytest.raises(SettingsError) as error:
        parse_settings(changed(values, key, value))
    assert message in str(error.value)


def test_a_missing_key_is_named(values):
    del values["targets"]["clv"]["horizon_days"]
    with pytest.raises(SettingsError, match=r"targets\.clv\.horizon_days: missing"):
        parse_settings(values)


def test_a_target_name_that_makes_no_column_is_refused(values):
    values["targets"]["Big Spender"] = values["targets"]["clv"]
    with pytest.raises(SettingsError, match="'Big Spender', allowed: lower-case letters"):
        parse_settings(values)


def test_all_mistakes_are_reported_at_once(values):
    values["sede"], values["gate"]["min_rows"] = 1, "many"
    with pytest.raises(SettingsError) as error:
        parse_settings(values)
    assert "sede: unknown key" in str(error.value)
    assert "gate.min_rows: found 'many'" in str(error.value)


def test_a_file_that_is_not_yaml(tmp_path):
    (tmp_path / "params.yaml").write_text("as_of: [2017")
    with pytest.raises(SettingsError, match="not readable as YAML"):
        load_settings(tmp_path / "params.yaml")


def test_a_folder_without_settings(tmp_path):
    with pytest.raises(SettingsError, match="change to the root of the repository"):
        load_settings(tmp_path / "params.yaml")


COLUMNS = {"client_id": "c", "timestamp": "t", "amount": "a"}
REFUNDS = {"name": "refunds", "files": "*", "columns": COLUMNS}
DATABASE = {"url_env": "SHOP_DB", "table": "sales"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "give either demo or transactions"),
        ({"transactions": {"files": "*.csv"}}, "give columns, or a preset: "),
        (
            {"transactions": {"files": "*.csv", "adapter": "online-retail-ii"}},
            "adapter was replaced: write `preset: online-retail` instead",
        ),
        ({"transactions": {"columns": COLUMNS}}, "give either files or url_env"),
        (
            {"transactions": {"url_env": "SHOP", "columns": COLUMNS}},
            "url_env needs either table or query",
        ),
        (
            {"transactions": {"files": "*", "columns": COLUMNS | {"price": "p"}}},
            "map either amount or price",
        ),
        (
            {"transactions": {"files": "*", "columns": COLUMNS | {"invoice": "i"}}},
            "source.transactions.columns.invoice: unknown key, did you mean 'invoice_id'?",
        ),
        (
            {"transactions": DATABASE | {"columns": COLUMNS, "watermark": "number"}},
            "watermark needs columns.row_id",
        ),
        (
            {"transactions": {"files": "*", "columns": COLUMNS, "encoding": "klingon"}},
            "source.transactions.encoding: found 'klingon'; must be auto or an encoding",
        ),
        (
            {"transactions": {"files": "*", "columns": COLUMNS, "fold_case": True}},
            "source.transactions.fold_case: moved to source.fold_case",
        ),
        (
            {"transactions": [{"files": "*", "columns": COLUMNS | {"invoice": "i"}}]},
            "source.transactions.0.columns.invoice: unknown key, did you mean 'invoice_id'?",
        ),
        ({"transactions": [{"files": "*", "columns": COLUMNS}] * 2}, "give each further table a"),
        ({"transactions": [REFUNDS, REFUNDS]}, "two tables have the name 'refunds'"),
        (
            {"transactions": {"files": "*", "columns": COLUMNS, "encoding": "hex"}},
            "source.transactions.encoding: found 'hex'; must be auto or an encoding",
        ),
    ],
)
def test_an_incomplete_or_contradictory_source_is_refused(values, source, message):
    with pytest.raises(SettingsError) as error:
        parse_settings(values | {"source": source})
    assert message in str(error.value)


def test_user_tables_are_written_out_as_they_were_given(values):
    source = {"transactions": {"files": "*.csv", "columns": COLUMNS, "decimal": ","}}
    dumped = parse_settings(values | {"source": source}).model_dump(mode="json")["source"]
    assert dumped == {"transactions": source["transactions"] | {"date_format": "auto"}}


def test_a_retailer_can_be_simulated_where_the_source_is_user_tables(values):
    values["source"] = {"transactions": {"files": "*.csv", "columns": COLUMNS}}
    assert with_simulation(parse_settings(values), {"days": 50}).source.simulation.days == 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ngram_min": 2}, "ngram_min is 2, allowed: at most ngram_max, which is 1"),
        ({"stop_words": "tlh"}, "there are no stop words for language 'tlh'; allowed: ar, bg"),
        ({"stop_words": ["the"], "analyzer": "char_wb"}, "they need analyzer word"),
    ],
)
def test_impossible_text_settings_are_refused(values, changes, message):
    values["features"]["text"] |= changes
    with pytest.raises(SettingsError, match=message):
        parse_settings(values)


@pytest.mark.parametrize("name", ["client_id", "day", "status", "value", "label"])
def test_outcomes_of_a_target_need_a_name_of_their_own(values, name):
    values["targets"] = {name: values["targets"]["purchase"]}
    columns = {"client_id": "client_id", "targets": {name: "actual"}}
    values["source"]["outcomes"] = {"files": "outcomes/*.csv", "columns": columns}
    with pytest.raises(SettingsError, match=f"'{name}' has the name of a column"):
        parse_settings(values)
