"""Freeing the disk: what is kept stays whole, and all else goes."""

import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import boto3
import pytest
import yaml
from typer.testing import CliRunner

from evergreen.cli import commands as cli
from evergreen.errors import DataError, EvergreenError
from evergreen.history import run_records
from evergreen.history.run_records import CandidateRecord, RunRecord, TargetRecord
from evergreen.lifecycle.forget_check import not_searched
from evergreen.lifecycle.prune import carry_out, make_plan
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs import dvc_fetch, dvc_internals
from evergreen.vcs.dvc_internals import object_path, open_repository, pin_file
from evergreen.vcs.git import git
from evergreen.vcs.remote import push_data
from evergreen.vcs.verified_objects import NotAvailableError

ROOT = Path(__file__).parents[2]
DAYS = [date(2024, 1, day) for day in range(1, 6)]
STORE, CACHE = Path("../store"), Path(".dvc/cache/files/md5")
DVC_YAML = """\
stages:
  train_full:
    cmd: "true"
    deps: [data/raw]
    outs: [models/full]
  promote:
    cmd: "true"
    deps: [models/full]
    outs: [models/production, data/scored]
"""


def put(content, name=""):
    """Put an object into the cache; return its hash."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + name
    path = Path(object_path(md5))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(content)
        path.chmod(0o444)
    return md5


def lay(folder, content):
    """Write a folder of files, given by name, and put it into the cache; return its hash."""
    files.remove(folder)
    listing = []
    for name, text in sorted(content.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        listing.append({"md5": put(text.encode()), "relpath": name})
    return put(json.dumps(listing).encode(), ".dir")


def pin(folder, content):
    md5 = lay(folder, content)
    text = f"outs:\n- md5: {md5}\n  hash: md5\n  path: {folder.name}\n"
    pin_file(folder).write_text(text)


def record(number, day):
    """A run that fits a model and updates the one of two runs before."""
    parent = f"model-{number - 2}" if number > 2 else None
    made = CandidateRecord(
        version=f"model-{number}", parent=parent, trained_on=1, updates=0, loss=1.0, gain=None,
        interval=None, reason="",
    )  # fmt: skip
    target = TargetRecord(
        action="promoted", version=made.version, champion=None, opponent=None, rows=1, clients=1,
        loss="log_loss", champion_loss=None, candidates={"full": made}, absent={}, verdict="",
        labels=1, live={}, alerts=[],
    )  # fmt: skip
    return RunRecord(
        as_of=day, mode="auto", lock="", full_retrain_as_of=day, release=f"release-{number}",
        previous_release=f"release-{number - 1}", parameters_changed={}, features_changed={},
        targets={"clv": target},
    )  # fmt: skip


def set_as_of(day):
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text.replace('as_of: "2017-04-01"', f'as_of: "{day}"', 1))


def run(number, day):
    """Make and commit a run: raw data grow, the models are new, the champion is the one before."""
    set_as_of(day)
    pin(paths.RAW, {f"{n}.txt": f"day {n}" for n in range(number + 1)} | {"state": f"{number}"})
    full = lay(paths.FULL, {"clv/model": f"model {number}", "about": "always the same"})
    production = lay(paths.PRODUCTION, {"clv/model": f"model {number}", "release": f"{number}"})
    scored = lay(paths.SCORED, {"scores": f"of model {number}"})
    outs = {
        "train_full": {paths.FULL: full},
        "promote": {paths.PRODUCTION: production, paths.SCORED: scored},
    }
    lock = {
        name: {
            "cmd": "true",
            "outs": [{"path": str(p), "hash": "md5", "md5": md5} for p, md5 in made.items()],
        }
        for name, made in outs.items()
    }
    paths.DVC_LOCK.write_text(yaml.safe_dump({"schema": "2.0", "stages": lock}))
    run_records.write(record(number, day))
    release = paths.RELEASES / f"release-{number}"
    release.mkdir(parents=True)
    (release / "manifest.json").write_text("{}")
    paths.CURRENT.unlink(missing_ok=True)
    paths.CURRENT.symlink_to(release.name)
    git("add", "--all")
    git("commit", "--quiet", "--message", f"Run of {day}")


@pytest.fixture(scope="module")
def five_runs(tmp_path_factory):
    """Five runs, pushed to an upstream and a remote; the files are a few letters each."""
    folder = tmp_path_factory.mktemp("five") / "repository"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "--quiet", "--initial-branch=main")
        git("config", "user.name", "test")
        git("config", "user.email", "test@localhost")
        Path(".dvc").mkdir()
        Path(".dvc/config").write_text(
            "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n"
        )
        Path(".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
        ignored = (
            "/releases/\n/.cache/\n/data/raw\n/data/scored\n/models/full\n/models/production\n"
        )
        Path(".gitignore").write_text(ignored)
        Path("dvc.yaml").write_text(DVC_YAML)
        for number, day in enumerate(DAYS, 1):
            run(number, day)
        git("init", "--quiet", "--bare", "../origin.git")
        git("remote", "add", "origin", "../origin.git")
        git("push", "--quiet", "--set-upstream", "origin", "main")
        shutil.copytree(".dvc/cache/files", "../store/files")
    return folder


@pytest.fixture
def repository(five_runs, tmp_path, monkeypatch):
    """The same for a test to do with as it likes, as the current folder."""
    shutil.copytree(five_runs.parent, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy" / "repository")
    return tmp_path / "copy"


def objects(place=CACHE):
    """The hashes of the objects in a folder."""
    return {path.parent.name + path.name for path in place.glob("??/*")}


def on_remote():
    return objects(STORE / "files/md5")


def named_at(commit):
    """The objects that a commit names, those in folders included; from the untouched store."""
    lock = dvc_internals.locked_md5s(git("show", f"{commit}:dvc.lock"))
    folders = {*lock.values(), dvc_internals.pinned_md5(git("show", f"{commit}:data/raw.dvc"))}
    listed = (dvc_internals.listed_files(Path(object_path(md5))) for md5 in folders)
    return folders.union(*(content.values() for content in listed))


def commit_of(number):
    return run_records.commit_of(DAYS[number - 1])


def prune(keep_days, **options):
    plan = make_plan(keep_days, **options)
    return "\n".join([*plan.lines(), *carry_out(plan)])


def everything():
    return objects(), on_remote(), sorted(paths.RELEASES.iterdir())


@pytest.mark.parametrize("keep_days", [1, 3, 400])
def test_what_kept_runs_name_stays_and_nothing_else(repository, keep_days):
    kept = DAYS[-keep_days:]
    expected = set().union(*(named_at(run_records.commit_of(day)) for day in kept))
    for number in (1, 2, 3):
        if DAYS[number - 1] not in kept and DAYS[number + 1] in kept:  # it updates this model
            lock = dvc_internals.locked_md5s(git("show", f"{commit_of(number)}:dvc.lock"))
            listing = Path(object_path(lock["models/full"]))
            expected |= {lock["models/full"], *dvc_internals.listed_files(listing).values()}
    plan = make_plan(keep_days)
    assert plan.kept_runs == kept
    assert plan.kept.keys() == expected
    assert plan.local.keys() == objects() - expected
    assert plan.remote == {}
    assert plan.only_here == {}, "the remote has them"


def test_only_the_cache_is_freed_and_the_remote_gives_it_back(repository):
    before = objects()
    said = prune(2)
    assert "keeps 2 of 5 runs, as of 2024-01-04 to 2024-01-05" in said
    assert "models" in said
    assert "all of it is on DVC remote store" in said
    assert "started from:\n    clv model-2\n    clv model-3\n" in said
    assert objects() < before
    assert on_remote() == before
    dvc_fetch.fetch(commit_of(1), paths.PRODUCTION, Path("older"))
    assert Path("older/clv/model").read_text() == "model 1"


def test_the_remote_is_freed_on_request_for_all_clones(repository):
    needed = [named_at(commit_of(number)) for number in (4, 5)]
    said = prune(2, from_remote=True)
    assert "frees in DVC remote store" in said
    assert objects() == on_remote()
    assert needed[0] | needed[1] <= on_remote()
    for number in (4, 5):
        for folder in (paths.RAW, paths.FULL, paths.PRODUCTION):
            dvc_fetch.fetch(commit_of(number), folder, Path("kept", str(number), folder.name))
    with pytest.raises(NotAvailableError) as refused:
        dvc_fetch.fetch(commit_of(1), paths.PRODUCTION, Path("older"))
    assert refused.value.message == (
        f"the run of 2024-01-01 was pruned, or never pushed: models/production of commit "
        f"{commit_of(1)[:7]} is neither in DVC's cache nor on the DVC remote"
    )
    assert make_plan(2, from_remote=True).frees_anything is False


def test_a_model_that_a_later_run_updates_stays(repository):
    prune(2, from_remote=True)
    dvc_fetch.fetch(commit_of(3), paths.FULL / "clv", Path("parent"))
    assert Path("parent/model").read_text() == "model 3"
    with pytest.raises(NotAvailableError, match="the run of 2024-01-03 was pruned"):
        dvc_fetch.fetch(commit_of(3), paths.PRODUCTION, Path("production"))


def test_a_plan_changes_nothing(repository):
    before = everything()
    make_plan(1, from_remote=True)
    assert everything() == before


def test_releases_that_no_kept_run_names_are_removed(repository):
    (paths.RELEASES / ".release-0.unfinished").mkdir()
    assert "frees 3 folders of releases in releases" in prune(1)
    assert sorted(path.name for path in paths.RELEASES.iterdir()) == [
        ".release-0.unfinished",
        "current",
        "release-4",
        "release-5",
    ]


def test_branches_tags_and_stashes_keep_what_they_need(repository):
    one, two = named_at(commit_of(1)), named_at(commit_of(2))
    git("branch", "trial", commit_of(1))
    git("tag", "--annotate", "v2", commit_of(2), "--message", "A tag")
    pin(paths.RAW, {"1.txt": "changed"})
    stashed = objects() - on_remote()
    git("stash", "push", "--quiet")
    pin(paths.RAW, {"1.txt": "changed again"})
    git("stash", "push", "--quiet")
    stashed |= objects() - on_remote()
    said = prune(1)
    assert "    trial, as of 2024-01-01\n    v2, as of 2024-01-02\n" in said
    assert one | two | stashed <= objects()
    git("branch", "-D", "trial")
    git("tag", "--delete", "v2")
    git("stash", "clear")
    prune(1)
    assert not stashed & objects()
    assert not one <= objects()


def test_an_unfinished_run_keeps_its_data(repository):
    set_as_of(date(2024, 1, 6))
    pin(paths.RAW, {"6.txt": "of the next day"})
    put(b"of a trial that no commit names")
    prune(1)
    names = ("of the next day", "of a trial that no commit names")
    md5s = {name: hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() for name in names}
    assert [name for name in names if md5s[name] in objects()] == ["of the next day"]


def test_a_run_that_waits_for_review_is_kept(repository):
    git("switch", "--quiet", "--create", "evergreen/run-2024-01-06")
    run(6, date(2024, 1, 6))
    waiting = named_at("HEAD")
    git("push", "--quiet", "origin", "HEAD")
    git("switch", "--quiet", "main")
    for name in ("raw.dvc", "raw"):
        files.remove(Path("data") / name)
    git("checkout", "--quiet", "--", "data")
    assert "with the run of 2024-01-06, which waits for review" in prune(1)
    assert waiting <= objects()


@pytest.mark.parametrize("stop_after", [1, 9])
def test_what_a_kill_left_is_freed_by_the_next_call(repository, monkeypatch, stop_after):
    shutil.copytree("..", repository.with_name("undisturbed"), symlinks=True)
    with monkeypatch.context() as patch:
        patch.chdir(repository.with_name("undisturbed") / "repository")
        prune(1, from_remote=True)
        expected = everything()
    removed, unlink = [], Path.unlink

    def stop(path, **options):
        if len(removed) == stop_after:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, **options)

    plan = make_plan(1, from_remote=True)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            list(carry_out(plan))
    prune(1, from_remote=True)
    assert everything() == expected


def test_a_remote_that_was_freed_in_part_is_freed_wholly(repository):
    with open_repository() as repo:
        plan = make_plan(1, from_remote=True)
        files_first = sorted(plan.remote, key=lambda md5: md5.endswith(".dir"))
        repo.remove_from_remote(files_first[: len(files_first) // 2])
    shutil.rmtree(CACHE)  # another clone, which has the last run alone
    dvc_fetch.fetch_all("HEAD")
    prune(1, from_remote=True)
    assert not set(plan.remote) & on_remote()


def test_data_that_no_remote_has_are_named(repository):
    Path(".dvc/config").write_text("[core]\n")
    git("commit", "--quiet", "--all", "--message", "No remote")
    git("push", "--quiet")
    plan = make_plan(1)
    assert plan.only_here == plan.local
    assert "on no DVC remote: they can't be fetched again" in "\n".join(plan.lines())
    with pytest.raises(EvergreenError, match="no default DVC remote is configured"):
        make_plan(1, from_remote=True)


def test_a_remote_without_the_last_run_is_refused(repository):
    shutil.move(STORE, "../elsewhere")  # as a disk that is not mounted
    with pytest.raises(EvergreenError, match="lacks data of the last run, such as data/raw") as it:
        make_plan(1)
    assert it.value.next_step.startswith("evergreen finish --push")


def test_a_remote_that_cannot_be_reached_is_refused(repository):
    config = Path(".dvc/config")
    config.write_text(config.read_text().replace("../../store", "http://127.0.0.1:9/"))
    with pytest.raises(EvergreenError, match=r"DVC remote store lacks data .* or can't be reached"):
        make_plan(1)
    with pytest.raises(EvergreenError, match="nothing can be removed from DVC remote store over"):
        make_plan(1, from_remote=True)


@pytest.mark.parametrize("ref", ["refs/heads/theirs", "refs/tags/v1"])
def test_what_the_upstream_has_and_this_clone_lacks_is_refused(repository, ref):
    git("push", "--quiet", "origin", f"HEAD:{ref}")
    git("update-ref", "-d", "refs/remotes/origin/theirs")
    with pytest.raises(EvergreenError, match="has commits that are not fetched here") as refused:
        make_plan(1)
    fetch = refused.value.next_step.partition(" && ")[0].replace("'", "").split()
    git(*fetch[1:])
    make_plan(1)


def test_an_upstream_that_cannot_be_reached_is_refused(repository):
    shutil.move("../origin.git", "../gone.git")
    with pytest.raises(EvergreenError, match="the branches of origin can't be compared") as refused:
        make_plan(1)
    assert "git remote --verbose" in refused.value.next_step


def test_a_shared_cache_is_refused_unless_that_was_said(repository):
    shutil.move(".dvc/cache", "../cache")
    Path(".dvc/config.local").write_text("[cache]\n    dir = ../../cache\n")
    others = Path("../cache/files/md5/ab") / ("c" * 30)
    others.parent.mkdir(exist_ok=True)
    others.write_text("of another repository")
    with pytest.raises(EvergreenError, match="other repositories and clones may use"):
        make_plan(1)
    before = objects(Path("../cache/files/md5"))
    prune(1, shared_cache=True)
    assert others.exists()
    assert objects(Path("../cache/files/md5")) < before


def test_a_dvc_command_at_work_is_waited_for(repository, monkeypatch):
    monkeypatch.setattr(dvc_internals, "_is_dvc", lambda _pid: True)
    dvc_internals.RWLOCK.parent.mkdir(exist_ok=True)
    dvc_internals.RWLOCK.write_text('{"write": {"data/raw": {"pid": 1, "cmd": "dvc repro"}}}')
    with pytest.raises(EvergreenError, match="a dvc command is at work here"):
        make_plan(1)


def test_a_damaged_list_of_the_working_folder_is_refused(repository):
    listing = Path(object_path(dvc_internals.pinned_md5(Path("data/raw.dvc").read_text())))
    listing.chmod(0o644)
    listing.write_text("[")
    prune(1)  # the remote's is sound
    files.remove(STORE / listing.relative_to(".dvc/cache"))
    Path(".dvc/config").write_text("[core]\n")
    with pytest.raises(DataError, match="the list of the files of data/raw is missing or damaged"):
        make_plan(1)


def test_what_others_pruned_since_the_last_push_is_pushed_again(repository):
    """An older run of this clone had it, so it would count as pushed."""
    push_data(commit_of(1))
    prune(1, from_remote=True)
    run(1, date(2024, 1, 6))
    assert named_at("HEAD") - on_remote()
    push_data()
    assert named_at("HEAD") <= on_remote()


def test_entries_of_the_run_cache_go_with_their_outputs(repository):
    def enter(name, md5):
        path = Path(".dvc/cache/runs/ab/abc") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"cmd: 'true'\nouts:\n- path: models/full\n  md5: {md5}\n")
        return path

    lock = {n: dvc_internals.locked_md5s(git("show", f"{commit_of(n)}:dvc.lock")) for n in (1, 5)}
    old, new = (enter(f"of-{n}", lock[n]["models/production"]) for n in (1, 5))
    damaged = enter("cut-off", "[")
    assert "frees 2 entries of DVC's run cache" in prune(1)
    assert [path.exists() for path in (old, new, damaged)] == [False, True, False]


def test_the_command_asks_before_it_removes(repository, monkeypatch):
    before = everything()
    arguments = ["prune", "--keep-days", "1"]
    result = CliRunner().invoke(cli.app, arguments)
    assert isinstance(result.exception, EvergreenError)
    assert "stdin is not interactive, so nothing was removed" in str(result.exception)
    result = CliRunner().invoke(cli.app, [*arguments, "--dry-run"])
    assert "dry run: nothing was changed" in result.output
    with monkeypatch.context() as patch:  # as at a terminal, where the answer is no
        patch.setattr("evergreen.cli.prune._is_wanted", lambda: False)
        result = CliRunner().invoke(cli.app, arguments)
        assert result.output.endswith("nothing was removed\n")
    assert everything() == before
    result = CliRunner().invoke(cli.app, [*arguments, "--yes"])
    assert result.exit_code == 0, result.output
    assert "freed in DVC's cache" in result.output
    assert everything() != before
    result = CliRunner().invoke(cli.app, arguments)
    assert "frees nothing" in result.output


def test_what_the_remote_alone_has_is_named_when_clients_are_forgotten(repository):
    assert not_searched() == []
    prune(1)
    [line] = not_searched()
    assert line.startswith("8 objects of older runs on the DVC remote alone not searched: ")
    prune(1, from_remote=True)
    assert not_searched() == []


def test_before_the_first_run_nothing_is_old(repository):
    git("rm", "-r", "--quiet", "history")
    git("commit", "--quiet", "--message", "No run")
    with pytest.raises(DataError, match="no run is recorded"):
        make_plan(1)


@pytest.mark.slow
def test_an_s3_remote_is_freed(repository, endpoint, monkeypatch):
    keys = {"aws_access_key_id": "someone", "aws_secret_access_key": "secret"}
    for name, value in keys.items():
        monkeypatch.setenv(name.upper(), value)
    store = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    store.create_bucket(Bucket="evergreen")
    for md5 in objects():
        key, path = f"data/files/md5/{md5[:2]}/{md5[2:]}", Path(object_path(md5))
        store.put_object(Bucket="evergreen", Key=key, Body=path.read_bytes())
    Path(".dvc/config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://evergreen/data\n"
        f"    endpointurl = {endpoint}\n"
    )
    prune(1, from_remote=True)
    left = store.list_objects_v2(Bucket="evergreen")["Contents"]
    assert {"".join(item["Key"].split("/")[-2:]) for item in left} == objects()
