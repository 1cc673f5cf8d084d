import json
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest

from evergreen.settings import paths
from evergreen.settings.names import prediction_column
from evergreen.store import tables

BARCODE = 3_600_029_145_200


def clv(repository, transactions):
    """What the clients observed today are predicted to spend, whether or not it was promoted."""
    repository.write_raw(transactions)
    repository.run()
    scored = tables.read_frame(
        tables.partition_path(paths.SCORED, date.fromisoformat(repository.values["as_of"])),
        made_by="promote",
    )
    losses = {
        name: metrics["tweedie_deviance"]
        for name, metrics in json.loads(paths.EVALUATION_REPORT.read_text())["clv"].items()
    }
    verdict = json.loads(paths.COMPARISON_REPORT.read_text())["clv"]
    return scored.set_index("client_id")[prediction_column("clv", "regression")], losses, verdict


@pytest.mark.slow
@pytest.mark.parametrize("minor", [BARCODE, 10**16])
def test_a_barcode_in_one_price_field_hardly_changes_what_others_are_predicted(
    repository, retailer, minor
):
    usual, losses, verdict = clv(repository, retailer)
    client = usual.index[0]
    row = retailer.slice(0, 1).to_pylist()[0] | {
        "client_id": client,
        "timestamp": datetime(2024, 2, 20, 12),
        "ingested_on": date(2024, 2, 20),
        "amount_minor": minor,
        "invoice_id": "barcode",
    }
    wild = pa.concat_tables([retailer, pa.Table.from_pylist([row], schema=retailer.schema)])
    others, wild_losses, wild_verdict = clv(repository, wild)
    ratio = (others / usual).drop(client)
    assert ratio.between(0.5, 2).all()
    assert np.isfinite(others[client])
    assert others[client] < 10 * usual.max()
    assert len(set(wild_losses.values())) == len(wild_losses)
    assert wild_losses == pytest.approx(losses, rel=0.1)
    assert wild_verdict["winner"] == verdict["winner"]
