"""Outcomes and predictions from elsewhere, on their way through the stages."""

from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.settings import paths
from evergreen.store import files, tables

DAY = date(2024, 2, 1)


def write(folder, clients, values):
    """Rows of ``by_target_schema`` for the clients on one day, known at once."""
    schema = tables.by_target_schema(values)
    rows = [
        {"client_id": c, "observed_on": DAY, "ingested_on": DAY, "row_id": f"{c}@{DAY}"} | values
        for c in clients
    ]
    tables.write(pa.Table.from_pylist(rows, schema=schema), tables.partition_path(folder, DAY))


def test_outcomes_are_labels_and_meet_predictions_in_the_report(repository, retailer):
    early = retailer.filter(pc.field("timestamp") < datetime(2024, 1, 20))
    first, second, third = early["client_id"].unique().to_pylist()[:3]
    write(paths.OUTCOMES, [first, second, "stranger"], {"purchase": 1.0, "clv": 77.0})
    write(paths.PREDICTED_ELSEWHERE, [first, third], {"purchase": 0.9})
    said = repository.run("collect_labels")["collect_labels"]
    labels = pd.concat(map(pd.read_parquet, tables.days_in(paths.LABELS).values()))
    of_the_day = labels[labels["observed_on"] == DAY].set_index("client_id")
    known = of_the_day.loc[first].set_index("target")["label"]
    assert (known["purchase"], known["clv"]) == (1.0, 77.0)
    report = files.read_json(paths.LABELS_REPORT, next_step="")
    assert report["targets"]["purchase"]["live"]["elsewhere"]["rows"] == 2
    assert report["elsewhere"] == {
        "outcomes": 3,
        "predictions": 2,
        "unmatched": {
            "outcome of a client not known by that day": 1,
            "outcome without a prediction": 2,
        },
    }
    assert "external: 2 predictions, 3 outcomes" in said[1]
    assert pq.read_table(paths.LABELS / "unmatched.parquet").num_rows == 4
