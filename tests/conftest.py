"""A small retailer for tests, and the ways into it that several test files need."""

import evergreen.stages  # noqa: F401 - chooses the arithmetic before numpy is imported

# isort: split
import atexit
import fcntl
import json
import marshal
import os
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from hypothesis import settings as hypothesis_settings

from evergreen.core.events import transactions
from evergreen.core.events.ledger import create_ledger, create_texts
from evergreen.report.page import write_report
from evergreen.settings import paths
from evergreen.settings.loading import parse_settings
from evergreen.stages import (
    collect_labels,
    compare,
    featurize,
    promote,
    train_full,
    train_incremental,
)
from evergreen.store import (
    challengers,
    predictions,
    releases,
    tables,
)
from evergreen.vcs.tracked_paths import INPUTS

hypothesis_settings.register_profile("patient", deadline=None)  # a busy machine is no failure
hypothesis_settings.load_profile("patient")
EVENNESS = 6.0
WORDS = {True: ("silk scarf", "leather bag", "gift wrap"), False: ("belt", "key ring")}

OUTCOMES = pa.schema(
    [("target", pa.string()), ("client_id", pa.string()), ("observed_on", pa.date32()),
     ("value", pa.float64()), ("ingested_on", pa.date32())]
)  # fmt: skip


def transactions_table(rows):
    """A canonical table from (client_id, day, amount_minor) and optional further columns.

    A row is a tuple (client, day) or (client, day, amount) or a dict with any of the columns.
    """
    names = ("client_id", "timestamp", "amount_minor")
    made = [row if isinstance(row, dict) else dict(zip(names, row, strict=False)) for row in rows]
    for number, row in enumerate(made):
        if not isinstance(row["timestamp"], datetime):
            row["timestamp"] = datetime.combine(row["timestamp"], datetime.min.time())
        row.setdefault("amount_minor", 1000)
        row.setdefault("quantity", 1.0)
        row.setdefault("text", None)
        row.setdefault("invoice_id", f"i{number}")
        row.setdefault("ingested_on", row["timestamp"].date())
    return pa.Table.from_pylist(made, schema=transactions.SCHEMA)


def open_database(rows, notes=(), outcomes=(), attributes=()):
    """Open a database of some rows (see `transactions_table`), as `open_history` does of files."""
    con = tables.connect(threads=2)
    con.register("transactions", transactions_table(rows))
    con.register("notes", pa.Table.from_pylist(list(notes), schema=tables.NOTES))
    schema = tables.attributes_schema(("age", "visits"), ("segment",))
    con.register("attributes", pa.Table.from_pylist(list(attributes), schema=schema))
    con.register("outcomes", pa.Table.from_pylist(list(outcomes), schema=OUTCOMES))
    create_ledger(con)
    create_texts(con, max_chars=5000)
    return con


@pytest.fixture(scope="session")
def database():
    """The function `open_database`."""
    return open_database


def simulate(*, clients, first, days, seed):
    """Clients of gamma-distributed rates who buy at even intervals; the frequent use other words.

    The even intervals are what a model can learn and buy-till-you-die can't. Some clients leave.
    """
    random = np.random.default_rng(seed)
    rate = random.gamma(1.0, 0.12, clients)
    life = random.exponential(days * 1.5, clients)
    rows = []
    for client in range(clients):
        frequent = bool(rate[client] > 0.12)
        gaps = random.gamma(EVENNESS, 1 / (EVENNESS * max(rate[client], 1e-3)), 3 * days)
        start = random.uniform(0, gaps[0])
        for offset in np.unique(np.floor(start + np.cumsum(gaps) - gaps[0])):
            if offset >= min(life[client], days):
                break
            rows.append(
                {
                    "client_id": f"c{client:04d}",
                    "timestamp": datetime.combine(first, datetime.min.time())
                    + timedelta(days=int(offset), hours=int(random.integers(9, 18))),
                    "amount_minor": int(random.lognormal(8.0, 0.6)),
                    "text": str(random.choice(WORDS[frequent])),
                }
            )
    return transactions_table(rows)


@pytest.fixture(scope="session")
def retailer():
    """800 clients over 120 days from 2024-01-01."""
    return simulate(clients=800, first=date(2024, 1, 1), days=120, seed=7)


@pytest.fixture
def snapshots():
    """A frame of snapshots from (client_id, observed_on) pairs."""

    def frame(*pairs):
        return pd.DataFrame(
            {"client_id": [c for c, _ in pairs], "observed_on": [pd.Timestamp(d) for _, d in pairs]}
        )

    return frame


ROOT = Path(__file__).parents[1]
WARM = ROOT / "tests" / "warm"
FILES = (
    "src",
    "scripts",
    ".github",
    ".dvc/plots",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
    "requirements.lock",
)


@cache
def warm_programs():
    """A folder with `python`, `dvc` and `evergreen` that a warm process runs; see tests/warm."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    atexit.register(shutil.rmtree, folder)
    client = runpy.run_path(str(WARM / "client.py"))
    own = {"programs": str(Path(sys.executable).parent), "fixed": client["fixed"](os.environ)}
    (folder / "warm").write_bytes(marshal.dumps(own))
    for name in ("python", "dvc", "evergreen"):
        text = f"#!{sys.executable} -ISE\n{(WARM / 'client.py').read_text()}"
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        variables = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
        server = subprocess.Popen(
            [sys.executable, WARM / "server.py", str(listener.fileno())],
            env=variables,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(server.communicate)  # it ends when its input does
    return folder


class Project:
    """A copy of this project as a git and DVC repository of its own, used by its commands.

    Attributes
    ----------
    variables
        The environment of its commands as separate processes, as users run them.
    """

    def __init__(self, folder):
        self.folder = folder
        # The console script runs the installed package; the copy's own code is to be run.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.variables = os.environ | {"PATH": path, "PYTHONPATH": str(folder / "src")}

    @classmethod
    def create(cls, folder):
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, folder / name)
        made = cls(folder)
        made.run("git", "init", "--quiet")
        made.run("git", "config", "user.name", "test")
        made.run("git", "config", "user.email", "test@localhost")
        made.commit("the code")
        return made

    def copy_to(self, folder):
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    @property
    def warm_path(self):
        """The programs for which the warm process works, then those of `variables`."""
        return f"{warm_programs()}{os.pathsep}{self.variables['PATH']}"

    def call(self, *command, **variables):
        """Run a command; return what became of it.

        The warm process runs it, and each dvc and Python that it starts.
        """
        return self.call_cold(*command, **{"PATH": self.warm_path} | variables)

    def call_cold(self, *command, **variables):
        """Run a command in processes of its own; return what became of it."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *command, **variables):
        """Run a command that is expected to succeed; return what it printed."""
        done = self.call(*command, **variables)
        said = f"{done.stdout[-3000:]} {done.stderr[-3000:]}"
        assert done.returncode == 0, f"{command}: {said}"
        return done.stdout

    def commit(self, message):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Make a repository in one of the test processes; each process has a copy of its own.

    ``made_once(name, make)``: `make` gets an empty folder and returns the project in it and what is
    to be told of it, any JSON, which becomes its attribute ``said``. The files beside the project
    are copied with it. Copies, as DVC locks what it reads.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def copied(name, make):
        done = base / f"{name}.json"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.is_file():
                folder = tmp_path_factory.mktemp(name)
                made, said = make(folder)
                place = str(made.folder.relative_to(folder))
                done.write_text(json.dumps([str(folder), place, said]))
        folder, place, said = json.loads(done.read_text())
        own = tmp_path_factory.mktemp(name) / "own"
        shutil.copytree(folder, own, symlinks=True)
        project = Project(own / place)
        project.said = said
        return project

    return copied


@pytest.fixture(scope="session")
def demo(made_once):
    """The demo after its first run: the commands of `make demo`, then the run recorded."""

    def make(folder):
        made = Project.create(folder)
        made.run("evergreen", "ingest", "--demo", "complete-journey")
        made.run("evergreen", "pin")
        made.run("dvc", "repro")
        return made, made.run("evergreen", "finish")

    return made_once("demo", make)


@pytest.fixture(scope="session")
def two_runs(demo, made_once):
    """The demo, and the day after it: an incremental update."""

    def make(folder):
        made = demo.copy_to(folder / "repository")
        return made, made.run("evergreen", "cycle", "--as-of", "2017-04-02")

    return made_once("two-runs", make)


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
        challengers.inherit({}, into=paths.CHALLENGER)
        predictions.write_none(paths.PREDICTIONS, self.settings.targets)

    def run(self, *stages):
        """Run some stages, all by default; return what they said."""
        names = stages or STAGES
        return {name: list(STAGES[name].run(self.settings)) for name in names}

    def crown(self):
        """Make what was promoted the champion of the next run, and keep updates that were not."""
        shutil.rmtree(paths.CHAMPION)
        shutil.copytree(paths.PRODUCTION, paths.CHAMPION)
        champions = releases.load_release(paths.CHAMPION).models
        updated = (paths.INCREMENTAL, paths.CHALLENGER)
        challengers.inherit(champions, *updated, into=paths.CHALLENGER)

    def report(self):
        """The report of the run in Markdown; what DVC would have pinned is laid beside it."""
        self.write_params()
        paths.DVC_LOCK.touch()
        for pinned in INPUTS:
            pinned.with_name(f"{pinned.name}.dvc").write_text("outs:\n- md5: 0123456789abcdef\n")
        write_report(self.settings, paths.PAGE, paths.PAGE_IN_MARKDOWN)
        return paths.PAGE_IN_MARKDOWN.read_text()

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
