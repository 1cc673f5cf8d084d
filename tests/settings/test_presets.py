import pytest
import yaml

from evergreen.errors import SettingsError
from evergreen.settings.loading import parse_settings
from evergreen.settings.presets import about, preset_names, preset_settings


@pytest.fixture
def parse(request):
    values = yaml.safe_load((request.config.rootpath / "params.yaml").read_text())
    return lambda source: parse_settings(values | {"source": source}).source


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_valid_and_says_which_export_it_reads(parse, name):
    given = {"timezone": "UTC", "transactions": {"files": "*", "preset": name}}
    tables = parse(given).transaction_tables
    table = tables["transactions"]
    assert table.columns.client_id
    assert (
        table.model_dump(include=preset_settings(name).keys()).items()
        >= {key: value for key, value in preset_settings(name).items() if key != "columns"}.items()
    )
    assert ": " in about(name) or ", " in about(name)


def test_settings_of_the_table_take_precedence_key_by_key(parse):
    own = {"columns": {"amount": "Gross Sales", "text": None}, "date_format": "auto"}
    table = parse({"transactions": {"files": "*", "preset": "square"} | own}).transactions
    columns = table.columns
    assert (columns.client_id, columns.amount, columns.text) == ("Customer ID", "Gross Sales", None)
    assert table.date_format == "auto"


def test_a_preset_of_the_source_holds_for_tables_that_name_none(parse):
    table = parse({"preset": "square", "transactions": {"files": "*"}}).transactions
    assert table.preset == "square"
    columns = {"client_id": "c", "timestamp": "t", "amount": "a"}
    own = {"files": "*", "preset": None, "columns": columns}
    table = parse({"preset": "square", "transactions": own}).transactions
    assert (table.preset, table.columns.invoice_id) == (None, None)


def test_a_preset_for_other_rows_of_the_same_files_is_added_as_a_table(parse):
    given = {"files": "a/*", "delimiter": ";", "preset": "paypal", "columns": {"text": "Subject"}}
    added = parse({"transactions": given}).transaction_tables["transactions/refunds"]
    assert (added.files, added.delimiter, added.preset) == ("a/*", ";", "paypal-refunds")
    assert added.columns.text is None
    own = {"name": "refunds", "files": "b/*", "preset": "paypal-refunds"}
    tables = parse({"transactions": [given, own]}).transaction_tables
    assert [table.files for table in tables.values()] == ["a/*", "b/*"]


def test_an_unknown_preset_is_refused_with_the_names_of_all(parse):
    with pytest.raises(SettingsError, match=f"preset: .*one of {', '.join(preset_names())}"):
        parse({"transactions": {"files": "*", "preset": "shopfy"}})
