"""`evergreen init` for your own files: what it guesses, shows and asks."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evergreen.cli import commands as cli
from evergreen.cli import init_dialogue
from evergreen.errors import EvergreenError
from evergreen.settings.loading import load_settings

EXPORTS = Path(__file__).parents[1] / "ingestion" / "presets"
CLEAR = "Kundennummer;Datum;Betrag\nK1;05.01.2024;12,50\nK2;16.01.2024;8,00\n"


@pytest.fixture
def init(here, monkeypatch):
    """Call the command for a file; answers make it interactive."""

    def call(content, *arguments, answers=None):
        (here / "inbox" / "1.csv").write_text(content)
        monkeypatch.setattr(init_dialogue, "interactive", lambda: answers is not None)
        words = ["init", "../mine", "--files", "../inbox/*.csv", *arguments]
        return CliRunner().invoke(cli.app, words, input="\n".join(answers or []))

    return call


def transactions(here):
    return load_settings(here / "mine" / "params.yaml").source.transactions


def test_a_clear_guess_is_taken_without_a_person(here, init):
    result = init(CLEAR)
    assert result.exit_code == 0
    assert "2 rows of 2 clients from 2024-01-05 to 2024-01-16, in all 20.50" in result.output
    columns = transactions(here).columns
    assert (columns.client_id, columns.timestamp, columns.amount) == (
        "Kundennummer",
        "Datum",
        "Betrag",
    )
    assert str(load_settings(here / "mine" / "params.yaml").as_of) == "2024-01-17"


def test_the_columns_are_listed_with_their_cells_within_80_columns(init):
    lines = init(CLEAR).output.splitlines()
    table = lines[lines.index("../inbox/1.csv:") :][:5]
    assert [line.split() for line in table[2:]] == [
        ["Kundennummer", "K1", "|", "K2", "client_id"],
        ["Datum", "05.01.2024", "|", "16.01.2024", "timestamp"],
        ["Betrag", "12,50", "|", "8,00", "amount"],
    ]
    assert max(map(len, table)) <= 80


def test_a_known_export_is_taken_for_its_preset(here, init):
    header = "Date,Item,Qty,Net Sales,Transaction ID,Customer ID"
    result = init(f"{header}\n2024-01-05,Mug,1,$12.00,T1,C1\n")
    assert result.exit_code == 0
    assert "taken for the preset square" in result.output
    assert transactions(here).preset == "square"
    assert (
        "columns" not in (here / "mine" / "params.yaml").read_text().partition("source:")[2][:200]
    )


UNCLEAR = "customer_id,date,total,net_total\na,2024-01-15,2.00,1.00\n"


def test_without_a_person_an_unclear_column_is_left_to_the_command_that_is_printed(here, init):
    result = init(UNCLEAR)
    assert isinstance(result.exception, EvergreenError)
    assert not (here / "mine").exists()
    assert "which column holds the amount" in result.exception.message
    commands = re.findall(r"evergreen (init(?:.*\\\n)*.*)", result.exception.next_step)
    assert len(commands) == 2
    words = shlex.split(commands[1].replace("\\\n", ""))
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert transactions(here).columns.amount == "net_total"


def test_a_person_is_asked_about_an_unclear_column_the_first_day_and_for_agreement(here, init):
    result = init(UNCLEAR, answers=["net_total", "2024-02-01", "y"])
    assert result.exit_code == 0
    assert transactions(here).columns.amount == "net_total"
    assert str(load_settings(here / "mine" / "params.yaml").as_of) == "2024-02-01"


def test_nothing_is_created_without_agreement(here, init):
    result = init(CLEAR, answers=["", "n"])
    assert isinstance(result.exception, EvergreenError)
    assert "--client-id Kundennummer" in result.exception.next_step
    assert not (here / "mine").exists()


def test_a_decimal_sign_that_the_cells_do_not_tell_is_asked_for(here, init):
    content = "customer_id;date;total\na;2024-01-15;1,234\n"
    result = init(content)
    assert "--decimal ," in result.exception.next_step
    result = init(content, answers=["x", ",", "", "y"])
    assert result.exit_code == 0
    assert transactions(here).decimal == ","


def test_a_day_and_month_that_the_cells_do_not_tell_are_asked_for(here, init):
    content = "customer_id,date,total\na,02/01/2024,1.50\n"
    assert "--date-order month_first" in init(content).exception.next_step
    assert init(content, answers=["day_first", "", "y"]).exit_code == 0
    assert transactions(here).date_order == "day_first"


def test_the_zone_of_the_shop_is_asked_for_where_an_export_has_another(here, init):
    content = (EXPORTS / "stripe.csv").read_text()
    assert "--timezone UTC" in init(content).exception.next_step
    assert init(content, answers=["Europe/Paris", "", "y"]).exit_code == 0
    assert load_settings(here / "mine" / "params.yaml").source.timezone == "Europe/Paris"


def test_a_source_that_can_not_be_read_is_named_with_the_command(here, init):
    result = init(CLEAR, "--amount", "Summe")
    assert "lacks the column 'Summe'" in result.exception.message
    assert "--amount Summe" in result.exception.message
    assert not (here / "mine").exists()


def test_the_preview_can_be_skipped(here, init):
    options = ("--client-id", "x", "--timestamp", "y", "--amount", "z", "--as-of", "2024-01-20")
    result = init(CLEAR, *options, "--skip-preview")
    assert (here / "mine" / "params.yaml").is_file()
    assert "its source can't be read as described" in str(result.exception)


def test_cells_are_never_written(here, init):
    init(CLEAR)
    files = [path for path in (here / "mine").rglob("*") if path.is_file()]
    assert files
    assert not any(b"12,50" in path.read_bytes() for path in files)
