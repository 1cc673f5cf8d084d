"""Scores of many clients are those of each, in a file that is there whole or not at all."""

import shutil
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import evergreen
from evergreen.cli import commands as cli
from evergreen.core.features import chunks
from evergreen.core.features.attributes import known_attributes
from evergreen.errors import DataError
from evergreen.serving import batch
from evergreen.serving.release import snapshots_on
from evergreen.serving.sql_table import SqlTable
from evergreen.settings import paths
from evergreen.store import tables
from evergreen.store.raw_history import open_history

AS_OF = date(2024, 4, 1)
COLUMNS = ["purchase_probability", "churn_probability", "clv"]
OUT = Path("build/scores.parquet")


@pytest.fixture
def release(finished):
    return evergreen.load_release(paths.PRODUCTION)


@pytest.fixture
def score(finished, release):
    def scored(out=OUT, **options):
        return batch.score(release, finished.settings, AS_OF, out, **options)

    return scored


def test_a_batch_is_what_the_pipeline_and_the_library_predict(score, release, retailer):
    outcome = score()
    written = pd.read_parquet(OUT)
    events = retailer.to_pandas()
    events = events[events["timestamp"] < pd.Timestamp(AS_OF)]
    served = release.predict(events, AS_OF)
    assert outcome == (len(served), 0)
    pd.testing.assert_series_equal(written["client_id"], served["client_id"])
    np.testing.assert_allclose(written[COLUMNS], served[COLUMNS], rtol=1e-12)
    piped = tables.read_frame(tables.partition_path(paths.SCORED, AS_OF), made_by="promote")
    ours = written.set_index("client_id").loc[piped["client_id"], COLUMNS]
    np.testing.assert_allclose(ours, piped[COLUMNS], rtol=1e-12)


def test_a_batch_reads_what_was_known_of_clients(finished, tmp_path):
    row = {"client_id": "c0001", "valid_from": AS_OF, "number_age": 41.0, "level_segment": "gold"}
    row |= {"ingested_on": date(2024, 3, 1), "row_id": "1"}
    schema = tables.attributes_schema(["age"], ["segment"])
    path = tables.partition_path(paths.ATTRIBUTES, date(2024, 3, 1))
    tables.write(pa.Table.from_pylist([row], schema=schema), path)
    con, _ = open_history(known_by=AS_OF, max_lag_days=0, threads=2)
    rows = known_attributes(con, snapshots_on(AS_OF, ["c0001", "c0002"]))
    assert list(rows["number_age"].fillna(0)) == [41.0, 0.0]


def test_parts_change_nothing_and_leave_nothing_behind(score, monkeypatch):
    score()
    whole, seen = OUT.read_bytes(), []
    monkeypatch.setattr(chunks, "ROWS", 100)
    score(Path("build/parts.parquet"), progress=lambda n, total: seen.append((n, total)))
    pd.testing.assert_frame_equal(pd.read_parquet("build/parts.parquet"), pd.read_parquet(OUT))
    assert len(seen) > 5
    assert seen[-1][0] == seen[-1][1]
    assert sorted(path.name for path in Path("build").iterdir()) == ["parts.parquet", OUT.name]
    assert OUT.read_bytes() == whole


def test_listed_clients_are_scored_in_their_order_once_and_unknown_ones_as_new(score):
    Path("list.csv").write_text("\ufeffclient_id,name\nnobody,N\nc0007,A\nNA,B\nc0001,C\nc0007,A\n")
    assert score(clients=Path("list.csv")) == (4, 2)
    assert list(pd.read_parquet(OUT)["client_id"]) == ["nobody", "c0007", "NA", "c0001"]


def test_a_list_of_new_clients_alone_is_scored(score):
    pd.DataFrame({"client_id": [17, 18]}).to_parquet("list.parquet")
    assert score(clients=Path("list.parquet")) == (2, 2)
    assert pd.read_parquet(OUT)["clv"].notna().all()


def test_a_cell_of_a_csv_can_not_be_a_formula(score):
    ids = ["=1+1", "+1", "-1", "@x", "c0001"]
    pd.DataFrame({"client_id": ids}).to_csv("list.csv", index=False)
    score(Path("build/scores.csv"), clients=Path("list.csv"))
    written = pd.read_csv("build/scores.csv")
    assert list(written["client_id"]) == ["'=1+1", "'+1", "'-1", "'@x", "c0001"]
    assert list(written) == ["client_id", "observed_on", "release", *sorted(COLUMNS)]
    assert set(written["observed_on"]) == {"2024-04-01"}


def test_a_csv_holds_every_digit(score):
    score(), score(Path("build/scores.csv"))
    written, expected = pd.read_csv("build/scores.csv"), pd.read_parquet(OUT)
    assert (written[COLUMNS].to_numpy() == expected[COLUMNS].to_numpy()).all()


def test_scores_go_to_a_table_and_again_replace_themselves(score, monkeypatch):
    monkeypatch.setenv("SCORES_URL", "sqlite:///scores.db")
    for _ in range(2):
        score(to_sql=SqlTable.parse("SCORES_URL:scores"))
    with closing(sqlite3.connect("scores.db")) as database:
        rows = database.execute("select client_id, clv from scores").fetchall()
    expected = pd.read_parquet(OUT)
    assert dict(rows) == dict(zip(expected["client_id"], expected["clv"], strict=True))
    assert len(rows) == len(expected)


def test_a_url_is_taken_from_the_environment_alone(score, monkeypatch):
    with pytest.raises(ValueError, match="belongs in the environment") as caught:
        SqlTable.parse("postgresql://me:secret@host/db:scores")
    assert "secret" not in str(caught.value)
    monkeypatch.delenv("SCORES_URL", raising=False)
    with pytest.raises(DataError, match="SCORES_URL is not set, expected the address"):
        score(to_sql=SqlTable.parse("SCORES_URL:scores"))
    assert not OUT.exists()


def test_a_database_that_refuses_leaves_the_old_file(score, monkeypatch):
    score()
    before = OUT.read_bytes()
    monkeypatch.setenv("SCORES_URL", "sqlite:////no/such/folder/scores.db")
    with pytest.raises(DataError, match="refuses table scores: unable to open") as caught:
        score(to_sql=SqlTable.parse("SCORES_URL:scores"))
    assert "no/such/folder" not in str(caught.value)
    assert OUT.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", "id\n1\n", "no column client_id"),
        ("list.csv", 'client_id\nc1\n" "\n', "client_id is missing"),
        ("list.parquet", "no parquet", "is not readable"),
        ("list.txt", "client_id\n1\n", "must end in .parquet or .csv"),
        ("none.csv", None, "does not exist"),
    ],
)
def test_a_list_that_can_not_be_used_is_explained(score, name, content, message):
    if content is not None:
        Path(name).write_text(content)
    with pytest.raises(DataError, match=message):
        score(clients=Path(name))
    assert not OUT.exists()


def test_an_empty_list_gives_an_empty_file(score):
    Path("list.csv").write_text("client_id\n")
    assert score(clients=Path("list.csv")) == (0, 0)
    assert list(pd.read_parquet(OUT)["client_id"]) == []


def test_the_command_scores_with_what_is_served_and_counts_new_clients(finished):
    finished.write_params()
    shutil.copytree(paths.PRODUCTION, paths.RELEASES / "one")
    paths.CURRENT.symlink_to("one")
    Path("list.csv").write_text("client_id\nc0001\nnobody\n")
    arguments = ["score", "--as-of", "2024-04-01", "--clients", "list.csv"]
    outcome = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert "2 clients, 1 of them new" in outcome.output
    assert len(pd.read_parquet("build/scores-2024-04-01.parquet")) == 2
    refused = CliRunner().invoke(cli.app, [*arguments, "--to-sql", "sqlite:///x.db:scores"])
    assert refused.exit_code == 2
