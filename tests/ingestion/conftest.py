"""A retailer's folder of files, and the way from there into the raw tables."""

import json
from copy import deepcopy
from datetime import date
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from evergreen.core.events import transactions
from evergreen.ingestion import demos
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.settings import paths
from evergreen.settings.loading import parse_settings
from evergreen.store import tables

COMMITTED = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
COLUMNS = {"client_id": "Client", "timestamp": "Date", "amount": "Total", "text": "Item"}
END = date(2024, 1, 31)
LOOSE = pa.schema([(field.name, field.type) for field in transactions.SCHEMA])


class Shop:
    """A folder to put files into and ingest them."""

    def __init__(self, folder):
        self.folder = folder
        self.source = {"files": "inbox/*", "columns": dict(COLUMNS)}
        self.others = {}
        self.data = {}
        self.max_bad_share = 1.0
        self.targets = ("purchase", "churn", "clv")

    def lay(self, name, content):
        path = self.folder / "inbox" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def settings(self, source=None):
        values = deepcopy(COMMITTED)
        values["source"] = source or {"transactions": self.source} | self.others
        values["data"] |= self.data | {"max_bad_share": self.max_bad_share}
        values["targets"] = {name: values["targets"][name] for name in self.targets}
        return parse_settings(values)

    def ingest(self, through=END, reach=None):
        return list(ingest_new_rows(self.settings(), through=through, reach=reach))

    def demo(self, *rows):
        """Make rows in the canonical columns those of a demo."""
        demo = {"cdnow": lambda con, _: con.from_arrow(pa.Table.from_pylist(rows, schema=LOOSE))}
        return mock.patch.dict(demos.PACKAGED_DEMOS, demo)

    def ingest_demo(self, *rows, through=END, reach=None):
        """Ingest rows in the canonical columns as those of a demo."""
        with self.demo(*rows):
            limits = {"through": through, "reach": reach}
            return list(ingest_new_rows(self.settings({"demo": "cdnow"}), **limits))

    def report(self, through=END):
        """The counts of the last ingestion's report that are not 0."""
        report = json.loads((paths.QUARANTINE / f"transactions-{through}.json").read_text())
        return {name: n for name, n in report.items() if isinstance(n, int) and n}

    def stored(self, folder=paths.TRANSACTIONS):
        """Rows by the day on which they became known."""
        return {d: pq.read_table(p).to_pylist() for d, p in tables.partitions(folder).items()}

    def rows(self, folder=paths.TRANSACTIONS):
        return [row for rows in self.stored(folder).values() for row in rows]

    def quarantined(self, through=END):
        """The lines of the quarantine file, without its header."""
        path = paths.QUARANTINE / f"transactions-{through}.csv"
        return path.read_text().splitlines()[1:]

    def forget_the_mapping(self):
        """Leave the state as an earlier version wrote it."""
        states = json.loads(paths.INGESTION_STATE.read_text())
        for state in states.values():
            del state["mapping"], state["currency"]
        paths.INGESTION_STATE.write_text(json.dumps(states))

    def edit_stored(self, edit):
        """Change every stored row as if an earlier version had read it."""
        for path in tables.partitions(paths.TRANSACTIONS).values():
            table = pq.read_table(path)
            rows = [edit(row) for row in table.to_pylist()]
            tables.write(pa.Table.from_pylist(rows, table.schema), path)

    def bytes(self):
        return {p: p.read_bytes() for p in sorted(paths.RAW.rglob("*")) if p.is_file()}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path)
