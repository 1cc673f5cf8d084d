"""A repository in a folder of its own, whose stages run in this process."""

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from evergreen import paths
from evergreen.params import parse_settings
from evergreen.stages import (
    collect_labels,
    compare,
    featurize,
    promote,
    train_full,
    train_incremental,
)
from evergreen.store import predictions, releases, tables

ROOT = Path(__file__).parents[2]
AS_OF = date(2024, 4, 1)
STAGES = {
    "collect_labels": collect_labels,
    "featurize": featurize,
    "train_incremental": train_incremental,
    "train_full": train_full,
    "compare": compare,
    "promote": promote,
}


class Repository:
    """The working folder of a run: its settings, its inputs, and its stages."""

    def __init__(self, folder):
        self.folder = folder
        self.values = yaml.safe_load((ROOT / "params.yaml").read_text())
        self.set("as_of", AS_OF.isoformat())
        self.set("full_retrain.as_of", AS_OF.isoformat())
        self.set("features.text.min_clients", 2)
        self.set("features.text.components", 4)
        self.set("estimators.lightgbm.rounds", 60)
        self.set("gate.min_clients", 50)
        self.set("gate.min_rows", 200)
        self.set("gate.min_minority", 20)

    @property
    def settings(self):
        return parse_settings(self.values)

    def set(self, key, value):
        *parents, last = key.split(".")
        section = self.values
        for parent in parents:
            section = section[parent]
        section[last] = value

    def write_params(self):
        (self.folder / paths.PARAMS).write_text(yaml.safe_dump(self.values, sort_keys=False))

    def write_raw(self, transactions, *, through=None):
        shutil.rmtree(paths.RAW, ignore_errors=True)
        days = pc.unique(transactions["ingested_on"]).to_pylist()
        for day in tables.days(min(days), through or max(days)):
            part = transactions.filter(pc.field("ingested_on") == pa.scalar(day, pa.date32()))
            tables.write(part, tables.partition_path(paths.TRANSACTIONS, day))

    def write_first_inputs(self):
        releases.write_empty_release(paths.CHAMPION)
        predictions.write_none(paths.PREDICTIONS, self.settings.targets)

    def run(self, *stages):
        """Run some stages, all by default; return what they said."""
        names = stages or STAGES
        return {name: list(STAGES[name].run(self.settings)) for name in names}

    def crown(self):
        """Make what was promoted the champion of the next run."""
        shutil.rmtree(paths.CHAMPION)
        shutil.copytree(paths.PRODUCTION, paths.CHAMPION)

    def bytes_of(self, *outs):
        """Every file below some outputs, with its bytes."""
        return {
            str(path): path.read_bytes()
            for out in outs
            for path in sorted(Path(out).rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def repository(tmp_path, monkeypatch, retailer):
    """A repository before its first run."""
    monkeypatch.chdir(tmp_path)
    made = Repository(tmp_path)
    made.write_raw(retailer)
    made.write_first_inputs()
    return made


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory, retailer):
    """The folder of a repository after its first run."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = Repository(folder)
        made.write_raw(retailer)
        made.write_first_inputs()
        made.run()
    return folder


@pytest.fixture
def finished(finished_folder, tmp_path, monkeypatch):
    """A repository after its first run, for a test to do with as it likes."""
    folder = tmp_path / "copy"
    shutil.copytree(finished_folder, folder)
    monkeypatch.chdir(folder)
    return Repository(folder)
