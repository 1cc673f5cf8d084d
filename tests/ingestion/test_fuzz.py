"""Whatever is done to a CSV file: no traceback, and no row is lost."""

import csv
import json
import shutil

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError
from evergreen.settings import paths

HEAD = b"Client,Date,Total,Item\n"
ROWS = [
    b"a,2024-01-05,10.50,silk\n",
    b'b,2024-01-06,"1,000.00","two\nlines"\n',
    "é,2024-01-06 09:30,-7,été\r\n".encode(),
    b'c,2024-01-07,0.01,"5"" pipe"\n',
]
PIECES = st.one_of(
    st.sampled_from([b'"', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b";", b"'", b"\\", b"\t"]),
    st.binary(min_size=1, max_size=4),
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), PIECES), min_size=1, max_size=6
)


def mutated(content, edits):
    for place, removed, piece in edits:
        at = int(place * len(content))
        content = content[:at] + piece + content[at + removed :]
    return content


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.sampled_from(ROWS), min_size=1, max_size=12), edits=EDITS)
def test_a_mutated_file_is_ingested_with_all_its_rows_or_refused_with_a_message(shop, rows, edits):
    shutil.rmtree("data", ignore_errors=True)
    shop.lay("shop.csv", HEAD + mutated(b"".join(rows), edits))
    try:
        shop.ingest()
    except DataError:
        assert not paths.RAW.exists()
        return
    report = json.loads((paths.QUARANTINE / "transactions-2024-01-31.json").read_text())
    with (paths.QUARANTINE / "transactions-2024-01-31.csv").open(newline="") as file:
        _, *quarantined = csv.reader(file)
    good = report["accepted"] + report["after_the_requested_date"]
    assert report["read"] == good + len(quarantined)
    assert len(shop.rows()) == report["accepted"]


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.sampled_from(ROWS), min_size=2, max_size=12), at=st.integers(0, 11))
def test_one_ruined_row_costs_no_other(shop, rows, at):
    shutil.rmtree("data", ignore_errors=True)
    ruined = rows.copy()
    ruined[at % len(rows)] = b'x,"2024-01-05,1\n'
    shop.lay("shop.csv", HEAD + b"".join(ruined))
    lines = shop.ingest()[1]
    assert f"{len(rows) - 1} accepted" in lines
