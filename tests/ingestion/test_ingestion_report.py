"""The report counts every row once, in total and by file."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.ingestion.ingestion_report import IngestionReport
from evergreen.settings import paths

HEAD = "Client,Date,Total,Item\n"


def lines(by_input):
    return IngestionReport(by_input, None, None).lines()


def test_files_with_bad_rows_are_named_where_there_are_several():
    by_input = {"a.csv": {"accepted": 3, "amount is missing": 2}, "b.csv": {"accepted": 1}}
    assert "  a.csv: 2 quarantined" in lines(by_input)
    assert not any("a.csv" in line for line in lines({"a.csv": by_input["a.csv"]}))


def test_of_many_files_the_worst_are_named_and_the_others_counted():
    by_input = {f"{n:03}.csv": {"amount is missing": n} for n in range(1, 366)}
    of_files = [line for line in lines(by_input) if ".csv" in line or "more" in line]
    assert of_files[0] == "  365.csv: 365 quarantined"
    assert of_files[5:] == ["  360 more files with such rows"]


def test_each_kind_of_row_of_a_file_is_counted():
    status = {"duplicate in another file": 4, "excluded: test order": 1, "excluded: guest": 2}
    assert lines({"a.csv": status, "b.csv": {"accepted": 1}})[-1] == (
        "  a.csv: 4 duplicate in another file, 3 excluded"
    )


def cells(day, amount):
    when = date(2024, 1, 1) + timedelta(days=day)
    return st.sampled_from("abc").map(lambda c: f"{c},{when},{amount},x")


ROWS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 9), st.integers(1, 3)).flatmap(lambda pair: cells(*pair)),
        st.sampled_from(
            ["a,soon,1,x", ",2024-01-02,1,x", "a,2024-01-03,lots,x", "a,b", "off,1,1,x"]
        ),
        st.just("a,2024-01-04,1,skip"),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deliveries=st.lists(st.lists(ROWS, min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_counts_add_up_by_file_and_in_total(tmp_path_factory, deliveries, monkeypatch, shop):
    monkeypatch.chdir(tmp_path_factory.mktemp("shop"))
    shop.folder = shop.folder.cwd()
    shop.source["where"] = "Item <> 'skip'"
    for nth, files in enumerate(deliveries):
        lengths = {}
        for number, rows in enumerate(files):
            name = shop.lay(f"{nth}-{number}.csv", HEAD + "a,2024-01-01,9,x\n" + "\n".join(rows))
            lengths[f"inbox/{name.name}"] = 1 + len(rows)
        through = date(2024, 1, 3 + 2 * nth)
        shop.ingest(through)
        report = json.loads((paths.QUARANTINE / f"transactions-{through}.json").read_text())
        by_file = report["sources"]["transactions"]["inputs"]
        assert {name: sum(counts.values()) for name, counts in by_file.items()}.items() >= (
            lengths.items()
        )
        counts = [n for status, n in report.items() if isinstance(n, int) and status != "read"]
        others = [sum(report[of].values()) for of in ("excluded", "quarantined")]
        assert report["read"] == sum(counts) + sum(others)
        assert report["read"] == sum(sum(of_file.values()) for of_file in by_file.values())
