"""Whatever stops a cycle, the same command ends it in the same bytes."""

import json
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.slow
DAY = "2017-04-02"
CYCLE = ("evergreen", "cycle", "--as-of", DAY, "--push")
POINTS = (
    "replace data/raw/transactions",  # while rows are taken in
    "evergreen-fetched/2017-04-01.parquet",  # while what was scored is fetched
    ".parquet data/predictions/",  # before it is put in place
    "production models/champion",  # the old champion gone, the new one not there yet
    ".unfinished models/challenger",  # likewise
    "-m dvc add",
    "replace .params.yaml",  # all pinned, the date not written yet
    "snapshots of",  # collect_labels is done
    "updated with",  # within train_incremental
    "incremental not promoted",  # within compare
    "clients scored",  # within promote
    "replace releases/.current",
    "replace history/",
    " git add ",
    " git commit ",
    "push <dvc.data_cloud",  # the data
    " git push ",
)


def content(project):
    """Every byte that a run leaves, durations apart: what git and DVC keep, and what is served."""
    current = (project.folder / "releases" / "current").resolve()
    named = (
        *("params.yaml", "dvc.lock", "data/raw.dvc", "data/predictions.dvc"),
        *("models/champion.dvc", "models/challenger.dvc", "history", "reports"),
        *("models/production", "data/scored"),
    )
    places = [current, *(project.folder / name for name in named)]
    files = [path for place in places for path in (place, *sorted(place.rglob("*")))]
    return {
        str(path.relative_to(project.folder)): path.read_bytes()
        for path in files
        if path.is_file() and path.parent.name != "seconds"
    }


def test_a_cycle_killed_at_every_step_ends_as_an_undisturbed_one(
    demo, two_runs, add_remotes, killed, tmp_path
):
    copy = add_remotes(demo.copy_to(tmp_path / "copy"))
    before = content(copy)
    for point in POINTS:
        killed(copy, point, *CYCLE[1:])
        assert (copy.folder / "releases" / "current" / "manifest.json").is_file()
    assert content(copy) != before
    copy.run(*CYCLE)
    assert content(copy) == content(two_runs)
    assert copy.run("git", "status", "--short", "--branch").count("\n") == 1
    assert "ahead" not in copy.run("git", "status", "--short", "--branch")
    assert "0 objects of 0 commits" in copy.run(*CYCLE)


def test_a_publication_that_is_killed_is_made_good_by_the_next(copy, two_runs, killed):
    shutil.rmtree(copy.folder / "releases")
    for point in ("copytree models/production", "replace releases/.2", "replace releases/.current"):
        killed(copy, point, "finish")
        assert not (copy.folder / "releases" / "current").exists()
    copy.run("evergreen", "finish")
    assert content(copy) == content(two_runs)


@pytest.fixture
def disk(tmp_path):
    """A separate file system in memory, which a test can fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_cycle_on_a_full_disk_goes_on_when_there_is_room(demo, two_runs, disk):
    copy = demo.copy_to(disk / "copy")
    for free in (20_000, 2_000_000, 4_000_000):
        ballast = disk / "ballast"
        room = os.statvfs(disk)
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - free))
        done = copy.call(*CYCLE[:-1])
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        words = ("disk is full", "free some space", "check that the disk is not full")
        assert any(said in done.stderr for said in words), f"{free}: {done.stdout} {done.stderr}"
        ballast.unlink()
        assert (copy.folder / "releases" / "current" / "manifest.json").is_file()
    copy.run(*CYCLE[:-1])
    assert content(copy) == content(two_runs)
    assert copy.run("git", "status", "--short") == ""


@pytest.mark.parametrize("left", ["cut off", "of a process number in use again"])
def test_a_lock_that_a_killed_dvc_has_left_behind_stops_nothing(copy, left):
    user = {"pid": os.getpid(), "cmd": "dvc repro"}
    users = json.dumps({"write": {str(copy.folder / "data" / "raw"): user}})
    path = copy.folder / ".dvc" / "tmp" / "rwlock"
    path.write_text("" if left == "cut off" else users)
    assert copy.call("dvc", "add", "data/raw").returncode == 1
    copy.run("evergreen", "finish")
    copy.run("dvc", "add", "data/raw")
