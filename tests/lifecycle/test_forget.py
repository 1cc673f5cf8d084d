"""Forgotten clients leave everything that a repository holds, whatever stops the command."""

import gzip
import json
import shutil
import subprocess
from datetime import date, datetime
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError, EvergreenError
from evergreen.history import forget_records
from evergreen.ingestion import tombstones
from evergreen.lifecycle import forget as forgetting
from evergreen.lifecycle import forget_check
from evergreen.lifecycle.forget import forget
from evergreen.lifecycle.forget_remote import clear_remote
from evergreen.lifecycle.lock import exclusive
from evergreen.settings import paths
from evergreen.store import client_rows, files, history_parts, tables
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_internals import object_path
from evergreen.vcs.git import commit, git

ROOT = Path(__file__).parents[2]
CLIENT, OTHER = "c000156", "c000157"
REASON = "erasure request"
SHOP = """\
source:
  transactions:
    files: inbox/*.csv
    columns: {client_id: Client, timestamp: Date, amount: Total}
"""


def sales(day):
    """A purchase of each client."""
    columns = {"amount_minor": 500, "quantity": 1.0, "text": None, "ingested_on": day}
    when = {"timestamp": datetime.combine(day, datetime.min.time())}
    rows = [{"client_id": c, "invoice_id": f"i-{c}"} | when | columns for c in (CLIENT, OTHER)]
    return pa.Table.from_pylist(rows, schema=transactions.SCHEMA)


@pytest.fixture(scope="session")
def ingested_once(tmp_path_factory):
    """A repository with three ingested days, before its first run."""
    folder = tmp_path_factory.mktemp("ingested") / "repository"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "--quiet", "--initial-branch=main")
        git("config", "user.name", "test")
        git("config", "user.email", "test@localhost")
        dvc("init", "--quiet")
        for name in (".gitignore", "params.yaml"):
            shutil.copy(ROOT / name, name)
        Path(".gitignore").write_text(f"{Path('.gitignore').read_text()}/data/\n")
        for day in (1, 2, 3):
            path = tables.partition_path(paths.TRANSACTIONS, date(2024, 1, day))
            tables.write(sales(date(2024, 1, day)), path)
        commit("Begin", ".")
    return folder


@pytest.fixture
def ingested(ingested_once, tmp_path, monkeypatch):
    """The same for a test to do with as it likes, as the current folder."""
    folder = tmp_path / "repository"
    shutil.copytree(ingested_once, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv(tombstones.KEY_VARIABLE, raising=False)
    return folder


def clients():
    return {
        name
        for path in client_rows.table_files()
        for name in pq.read_table(path)["client_id"].to_pylist()
    }


def cache(*named):
    """Put files into DVC's cache; return the hashes of their objects and of a listing of them."""
    made, listing = [], []
    for name in named:
        md5 = f"{len(made):032x}"
        Path(object_path(md5)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, object_path(md5))
        made.append(md5)
        listing.append({"md5": md5, "relpath": Path(name).name})
    made.append(f"{'f' * 32}.dir")
    Path(object_path(made[-1])).parent.mkdir(parents=True, exist_ok=True)
    Path(object_path(made[-1])).write_text(json.dumps(listing))
    return made


def subjects():
    return git("log", "--format=%s").splitlines()


def found(client=CLIENT):
    return {finding.where: finding for finding in forget_check.find(client)}


def test_a_client_is_removed_and_recorded_without_the_id(ingested):
    said = "\n".join(forget([CLIENT], REASON))
    assert clients() == {OTHER}
    assert "3 in data/raw/transactions" in said
    [record] = forget_records.read_all()
    assert CLIENT not in record.path.read_text()
    assert record.rows == {"data/raw/transactions": 3}
    assert subjects()[0] == f"Forget 1 client: {REASON}"
    assert git("status", "--porcelain") == ""
    assert found() == {}
    assert tombstones.read_tombstones().hold(CLIENT)


def test_a_second_call_changes_nothing(ingested):
    list(forget([CLIENT], REASON))
    before = git("rev-parse", "HEAD")
    assert "1 client already forgotten" in "\n".join(forget([CLIENT], REASON))
    assert git("rev-parse", "HEAD") == before


def test_a_dry_run_changes_nothing(ingested):
    assert "3 in data/raw/transactions" in "\n".join(forget([CLIENT], REASON, dry_run=True))
    assert clients() == {CLIENT, OTHER}
    assert not tombstones.key_file().exists()
    assert git("status", "--porcelain") == ""


@pytest.mark.parametrize("at", ["write_without", "_remove_local", "commit"])
def test_whatever_is_killed_the_next_command_completes(ingested, monkeypatch, at):
    def killed(*_, **__):
        raise KeyboardInterrupt

    module = client_rows if at == "write_without" else forgetting
    with monkeypatch.context() as patch:
        patch.setattr(module, at, killed)
        with pytest.raises(KeyboardInterrupt):
            list(forget([CLIENT], REASON))
    with exclusive() as lines:
        assert lines[0] == "`evergreen forget` was killed, and is completed:"
    assert clients() == {OTHER}
    assert subjects() == [f"Forget 1 client: {REASON}", "Begin"]
    with exclusive() as lines:
        assert lines == []


def test_objects_of_the_cache_that_hold_the_client_go_with_their_listings(ingested):
    theirs, listing = cache(tables.partition_path(paths.TRANSACTIONS, date(2024, 1, 1)))
    assert set(found()) == {"data", "DVC's cache"}
    list(forget([CLIENT], REASON))
    assert not any(Path(object_path(md5)).exists() for md5 in (theirs, listing))
    assert forget_records.read_all()[0].objects == [theirs, listing]
    kept = cache(tables.partition_path(paths.TRANSACTIONS, date(2024, 1, 1)))
    list(forget([CLIENT], REASON))
    assert all(Path(object_path(md5)).exists() for md5 in kept)


def test_the_kept_history_goes(ingested):
    history_parts.ledger_parts(date(2024, 1, 4), threads=1)
    assert set(found()) == {"data", ".cache"}
    list(forget([CLIENT], REASON))
    assert found() == {}


def test_lines_of_logs_go(ingested):
    Path("logs").mkdir()
    Path("logs/day.log").write_text(f"one\n{CLIENT} is bad\ntwo\n")
    Path("logs/old.log.gz").write_bytes(gzip.compress(f"{CLIENT}\nthree\n".encode()))
    list(forget([CLIENT], REASON))
    assert Path("logs/day.log").read_text() == "one\ntwo\n"
    assert gzip.decompress(Path("logs/old.log.gz").read_bytes()) == b"three\n"


def test_an_unknown_client_and_a_reason_with_an_id_are_refused(ingested):
    with pytest.raises(DataError, match="no row of 'nobody' is here; nothing was changed"):
        list(forget([CLIENT, "nobody"], REASON))
    with pytest.raises(EvergreenError, match="must not hold an id"):
        list(forget([CLIENT], f"request of {CLIENT}"))
    assert clients() == {CLIENT, OTHER}
    assert not tombstones.key_file().exists()
    list(forget(["nobody"], REASON, absent=True))
    assert tombstones.read_tombstones().hold("nobody")
    assert clients() == {CLIENT, OTHER}


def test_a_run_that_is_not_finished_is_refused(ingested):
    Path("data/raw.dvc").write_text("outs:\n- md5: 0123456789abcdef\n  path: raw\n")
    with pytest.raises(EvergreenError, match="not finished"):
        list(forget([CLIENT], REASON))
    assert clients() == {CLIENT, OTHER}


def test_the_source_is_named_and_left_alone(ingested, monkeypatch):
    monkeypatch.setattr(forget_check, "PART_BYTES", 8)
    text = Path("params.yaml").read_text()
    begin, end = text.index("source:"), text.index("\n\n", text.index("source:"))
    Path("params.yaml").write_text(text[:begin] + SHOP + text[end:])
    Path("inbox").mkdir()
    lines = [f"{client},2024-01-01,5.00\n" for client in (OTHER, OTHER, CLIENT)]
    Path("inbox/1.csv").write_text("".join(["Client,Date,Total\n", *lines]))
    commit("Read files", "params.yaml")
    list(forget([CLIENT], REASON))
    assert set(found()) == {"source"}
    assert not found()["source"].ours
    assert "inbox/1.csv (column Client)" in str(found()["source"])


def test_what_git_holds_is_named_with_the_commit_and_the_way(ingested):
    Path("notes.md").write_text(f"{CLIENT} called\n")
    commit(f"Note on {CLIENT}", "notes.md")
    noted = git("rev-parse", "--short", "HEAD").strip()
    list(forget([CLIENT], REASON))
    assert set(found()) == {"notes.md", "git history", "git messages"}
    assert f"notes.md (line 1) in {noted}" in str(found()["git history"])
    assert f"commit {noted}" in str(found()["git messages"])
    git("reset", "--hard", "--quiet", "HEAD~2")
    list(forget([CLIENT], REASON, absent=True))
    git("reflog", "expire", "--expire=now", "--all")
    assert set(found()) == {"git objects of no branch"}
    git("gc", "--quiet", "--prune=now")
    assert found() == {}


@pytest.fixture
def shared(ingested, tmp_path):
    """The same with an upstream and a DVC remote."""
    git("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "origin.git"))
    git("remote", "add", "origin", str(tmp_path / "origin.git"))
    dvc("remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    commit("Name the remote", ".dvc/config")
    git("push", "--quiet", "--set-upstream", "origin", "main")
    return ingested


def test_branches_that_are_not_fetched_keep_the_remote_as_it_is(shared, tmp_path):
    git("clone", "--quiet", str(tmp_path / "origin.git"), str(tmp_path / "clone"))
    git("-C", str(tmp_path / "clone"), "push", "--quiet", "origin", "HEAD:theirs")
    list(forget([CLIENT], REASON))
    with pytest.raises(EvergreenError, match="not fetched here and may need") as error:
        list(clear_remote())
    assert "theirs" in error.value.message
    fetch = error.value.next_step.partition(" && ")[0]
    subprocess.run(fetch, shell=True, check=True, capture_output=True)
    assert "removed 0 objects" in "\n".join(clear_remote())
    assert git("rev-list", "origin/main..main") == ""


def test_a_branch_that_names_data_of_the_client_keeps_the_remote_as_it_is(shared, tmp_path):
    theirs, listing = cache(tables.partition_path(paths.TRANSACTIONS, date(2024, 1, 1)))
    stored = tmp_path / "store/files/md5" / theirs[:2] / theirs[2:]
    stored.parent.mkdir(parents=True)
    stored.touch()
    git("switch", "--quiet", "--create", "theirs")
    Path("data/raw.dvc").write_text(f"outs:\n- md5: {listing}\n  path: raw\n")
    git("add", "--force", "data/raw.dvc")
    git("commit", "--quiet", "--message", "Pin")
    git("push", "--quiet", "origin", "theirs")
    git("switch", "--quiet", "main")
    list(forget([CLIENT], REASON))
    with pytest.raises(EvergreenError, match="name data of forgotten clients: theirs") as error:
        list(clear_remote())
    assert stored.exists()
    subprocess.run(error.value.next_step.partition(",")[0], shell=True, check=True)
    assert "removed 1 object of forgotten clients" in "\n".join(clear_remote())
    assert not stored.exists()


@pytest.mark.slow
def test_objects_of_an_s3_remote_go(ingested, endpoint, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    store = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    store.create_bucket(Bucket="evergreen")
    dvc("remote", "add", "--quiet", "--default", "store", "s3://evergreen/data")
    dvc("remote", "modify", "store", "endpointurl", endpoint)
    commit("Name the remote", ".dvc/config")
    theirs, listing = cache(tables.partition_path(paths.TRANSACTIONS, date(2024, 1, 1)))
    keys = [f"data/files/md5/{name[:2]}/{name[2:]}" for name in (theirs, listing, "ab" * 16)]
    for key in keys:
        store.put_object(Bucket="evergreen", Key=key, Body=b"content")
    list(forget([CLIENT], REASON))
    assert set(found()) == {"DVC remote"}
    assert "removed 2 objects of forgotten clients" in "\n".join(clear_remote())
    left = store.list_objects_v2(Bucket="evergreen")["Contents"]
    assert [entry["Key"] for entry in left] == [keys[2]]
    assert found() == {}


@pytest.mark.slow
def test_a_client_is_forgotten_after_runs_in_every_clone_and_on_the_remote(
    with_remotes, clone, tmp_path
):
    project = with_remotes
    project.run("evergreen", "finish", "--push")
    other = clone(project)
    other.run("evergreen", "pull")
    client = pq.read_table(project.folder / "data/predictions")["client_id"][0].as_py()
    served = (project.folder / "releases/current").readlink()

    record = (project.folder / "history/2017-04-02.json").read_text().splitlines()
    said = project.run("evergreen", "forget", client, "--reason", REASON, "--remote")
    assert "the next full retrain, due by 2017-04-08" in said
    assert "can't be reproduced byte for byte any more: 2017-04-01, 2017-04-02" in said
    assert project.run("dvc", "status") == "Data and pipelines are up to date.\n"
    assert project.run("git", "status", "--short") == ""
    assert (project.folder / "releases/current").readlink() == served
    now = (project.folder / "history/2017-04-02.json").read_text().splitlines()
    assert [line for line in now if line not in record] == [
        f'  "lock": "{files.sha256(project.folder / "dvc.lock")}",'
    ]
    assert "Clients were forgotten since" in (project.folder / "reports/report.md").read_text()
    project.run("evergreen", "check")
    project.run("evergreen", "forget", "--check", client)
    holding = {
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and client_rows.count_rows(path, {client}.__contains__)
    }
    assert {path.parts[len(tmp_path.parts)] for path in holding} == {"clone"}

    assert "removed from DVC's cache" in other.run("evergreen", "pull")
    other.run("evergreen", "forget", "--check", client)
    done = other.call("evergreen", "cycle", "--as-of", "2017-04-03")
    assert done.returncode == 1
    assert f"export {tombstones.KEY_VARIABLE}=KEY" in done.stderr
    key = project.run("evergreen", "forget", "--show-key").strip()
    said = other.run("evergreen", "cycle", "--as-of", "2017-04-03", EVERGREEN_FORGET_KEY=key)
    assert "excluded: forgotten" in said
    other.run("evergreen", "forget", "--check", client)
