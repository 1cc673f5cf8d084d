from copy import deepcopy
from datetime import date

import pytest

from evergreen.errors import DataError
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.settings import paths
from evergreen.settings.loading import parse_settings

from .conftest import COLUMNS, COMMITTED

TARGETS = {"purchase": "purchased_actual", "churn": "churned_actual", "clv": "clv_actual"}
HEAD = "client_id,purchased_actual,churned_actual,clv_actual\n"
END = date(2024, 2, 29)


@pytest.fixture
def outcomes(shop):
    """Ingest a file of outcomes by name and content; return the stored rows by day."""
    shop.lay("shop.csv", "Client,Date,Total,Item\na,2024-01-01,1,x\n")
    shop.source = {"files": "inbox/*", "columns": COLUMNS}

    def take(name, content, through=END, **settings):
        (shop.folder / "outcomes").mkdir(exist_ok=True)
        (shop.folder / "outcomes" / name).write_text(HEAD + content)
        values = deepcopy(COMMITTED)
        columns = {"client_id": "client_id", "targets": TARGETS}
        outcomes = {"files": "outcomes/*.csv", "columns": columns} | settings
        values["source"] = {"transactions": shop.source, "outcomes": outcomes}
        values["data"]["max_bad_share"] = 1.0
        take.lines = list(ingest_new_rows(parse_settings(values), through=through))
        return [
            (r["client_id"], r["observed_on"], r["purchase"], r["clv"], r["ingested_on"])
            for r in shop.rows(paths.OUTCOMES)
        ]

    return take


def test_the_date_may_be_in_the_name_of_the_file(outcomes):
    day = date(2024, 1, 5)
    assert outcomes("outcomes_2024-01-05.csv", "a,1,0,12.345678\n") == [
        ("a", day, 1.0, 12.345678, day)
    ]


def test_words_for_yes_and_no_are_read_and_blanks_are_unknown(outcomes):
    stored = outcomes("outcomes_20240105.csv", "a,Yes,no,\nb,FALSE,true,0\n")
    assert [row[2:4] for row in stored] == [(1.0, None), (0.0, 0.0)]


def test_a_file_without_a_date_in_its_name_is_refused(outcomes):
    with pytest.raises(DataError, match="expected to have its date in its name"):
        outcomes("outcomes.csv", "a,1,0,1\n")


def test_a_corrected_outcome_becomes_known_on_the_newest_day(outcomes):
    day = date(2024, 1, 5)
    outcomes("outcomes_2024-01-05.csv", "a,1,0,12\nb,0,0,0\n", through=date(2024, 2, 10))
    stored = outcomes("outcomes_2024-01-05.csv", "a,0,0,0\nb,0,0,0\n")
    assert "1 correction of an ingested row" in outcomes.lines[-1]
    assert [(row[0], row[2], row[4]) for row in stored] == [
        ("a", 1.0, day),
        ("b", 0.0, day),
        ("a", 0.0, END),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,0.5,0,1", "purchase is not yes or no, as 1 or 0"),
        ("a,maybe,0,1", "purchase is not yes or no, as 1 or 0"),
        ("a,1,0,-3", "clv is not a number that is not negative"),
        ("a,1,0,inf", "clv is not a number that is not negative"),
        (",1,0,1", "client_id is missing"),
    ],
)
def test_what_is_no_outcome_is_quarantined(outcomes, row, reason):
    outcomes("outcomes_2024-01-05.csv", f"{row}\nb,1,0,1\n")
    quarantined = (paths.QUARANTINE / f"outcomes-{END}.csv").read_text()
    assert "outcomes/outcomes_2024-01-05.csv,2," in quarantined
    assert reason in quarantined


def test_a_column_may_hold_the_day_on_which_an_outcome_became_known(outcomes):
    targets = {"purchase": "purchased_actual", "clv": "clv_actual"}
    columns = {"client_id": "client_id", "ingested_on": "churned_actual", "targets": targets}
    stored = outcomes("outcomes_2024-01-05.csv", "a,1,2024-01-09,12\n", columns=columns)
    assert [row[4] for row in stored] == [date(2024, 1, 9)]
