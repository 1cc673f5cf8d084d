from datetime import date

import pytest
import sqlalchemy as sa

from evergreen.errors import EvergreenError
from evergreen.lifecycle.init import begin, begin_demo
from evergreen.settings.loading import load_settings

COLUMNS = {"client_id": "Client", "timestamp": "Date", "amount": "Total"}


def begun(here, **columns):
    made = here / "mine"
    transactions = {"files": "../inbox/*.csv", "columns": COLUMNS | columns}
    return made, list(begin(made, transactions, as_of=date(2024, 1, 6)))


def test_the_new_repository_names_the_source_and_its_check_reads_it(here):
    made, said = begun(here)
    settings = load_settings(made / "params.yaml")
    assert (settings.as_of, settings.full_retrain.as_of) == (date(2024, 1, 6), date(2024, 1, 6))
    assert settings.source.transactions.files == "../inbox/*.csv"
    assert any("read 1 rows = 1 accepted" in line for line in said)


def test_the_source_may_be_a_database(here, monkeypatch):
    engine = sa.create_engine(f"sqlite:///{here / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("create table sales (Client, Date, Total)"))
        connection.execute(sa.text("insert into sales values ('a', '2024-01-05', '1')"))
    engine.dispose()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{here / 'shop.db'}")
    transactions = {"files": None, "url_env": "SHOP_URL", "table": "sales", "columns": COLUMNS}
    said = list(begin(here / "mine", transactions, as_of=date(2024, 1, 6)))
    assert any("read 1 rows = 1 accepted" in line for line in said)


def test_a_demo_comes_with_its_settings(here):
    (here / "here" / "configs").mkdir()
    (here / "here" / "configs" / "simulated.yaml").write_text("source: {demo: simulated}")
    lines = list(begin_demo(here / "demo", "simulated"))
    assert load_settings(here / "demo" / "params.yaml").source.demo == "simulated"
    assert any("the demo simulated" in line for line in lines)


def test_a_demo_without_settings_is_refused(here):
    with pytest.raises(EvergreenError, match=r"there are no settings for cdnow"):
        list(begin_demo(here / "demo", "cdnow"))
    assert not (here / "demo").exists()


def test_a_hold_is_left_behind(here):
    text = (here / "here" / "params.yaml").read_text()
    (here / "here" / "params.yaml").write_text(text.replace("hold: {}", "hold: {clv: why}"))
    made, _ = begun(here)
    assert load_settings(made / "params.yaml").hold == {}


def test_a_column_left_blank_is_not_mapped(here):
    made, _ = begun(here, text="", invoice_id=None)
    assert load_settings(made / "params.yaml").source.transactions.columns.text is None


def test_what_belongs_to_other_data_is_left_behind(here):
    made, _ = begun(here)
    assert not (made / "reports").exists()


def test_a_mapping_that_is_not_valid_leaves_nothing_behind(here):
    with pytest.raises(EvergreenError, match="unknown key, did you mean 'invoice_id'"):
        begun(here, invoice="Bill")
    assert not (here / "mine").exists()


def test_a_folder_that_exists_is_left_alone(here):
    (here / "mine").mkdir()
    with pytest.raises(EvergreenError, match="already exists"):
        begun(here)


def test_a_source_that_is_not_as_described_ends_with_an_error_and_leaves_the_folder_to_fix(here):
    with pytest.raises(EvergreenError, match="its source can't be read as described") as told:
        begun(here, client_id="Customer")
    assert (here / "mine" / "params.yaml").is_file()
    assert "fix source.transactions" in told.value.next_step
