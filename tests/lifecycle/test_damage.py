"""Damaged bytes: refused, never published, and fixed by the next step of the message."""

import json
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
DAY, NEXT = "2017-04-02", "2017-04-03"
CYCLE = ("evergreen", "cycle", "--as-of", NEXT)


def flip(path):
    """Flip the bits of a byte, and leave the rest, the mode too."""
    mode, content = path.stat().st_mode, bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


def cached(project, name):
    """Where DVC's cache has a file of models/production."""

    def at(md5):
        return project.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]

    stages = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]
    outs = stages["promote"]["outs"]
    folder = next(out["md5"] for out in outs if out["path"] == "models/production")
    listed = json.loads(at(folder).read_text())
    return at(next(file["md5"] for file in listed if file["relpath"] == name))


def refused(project, *command):
    done = project.call(*command)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert project.run("git", "status", "--short") == ""
    return done.stderr


def next_step(said):
    return said.rsplit("\nNext: ", 1)[1].strip()


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_past_day_of_raw_data_that_is_not_as_pinned_is_refused_and_restored(copy, damage):
    day = copy.folder / "data" / "raw" / "transactions" / "2017-02-10.parquet"
    before = day.read_bytes()
    damage(day)
    said = refused(copy, *CYCLE)
    assert "data/raw/transactions/2017-02-10.parquet is " in said
    copy.run("bash", "-c", next_step(said).partition(";")[0])
    assert day.read_bytes() == before


def test_a_champion_that_is_damaged_after_pinning_is_not_updated(copy):
    copy.run("evergreen", "pin", "--as-of", NEXT)
    flip(copy.folder / "models" / "champion" / "purchase" / "golden.parquet")
    said = copy.call(*CYCLE).stderr
    assert "models/champion/purchase/golden.parquet is altered" in said
    copy.run("bash", "-c", next_step(said).partition(";")[0])
    copy.run("python", "-m", "evergreen.lifecycle.verify", "models/champion")


def test_a_damaged_object_of_the_cache_becomes_no_champion(copy):
    flip(cached(copy, "purchase/golden.parquet"))
    release = (copy.folder / "releases" / "current").readlink()
    said = refused(copy, *CYCLE)
    assert "purchase/golden.parquet is damaged: .dvc/cache/files/md5/" in said
    assert (copy.folder / "releases" / "current").readlink() == release
    assert next_step(said).startswith("rm -f .dvc/cache/files/md5/")


def test_a_damaged_object_is_not_pushed_and_is_restored_from_the_working_folder(with_remotes):
    path = cached(with_remotes, "purchase/golden.parquet")
    before = path.read_bytes()
    flip(path)
    said = refused(with_remotes, "evergreen", "finish", "--push")
    assert "does not match its hash" in said
    with_remotes.run("bash", "-c", next_step(said).partition(",")[0])
    assert path.read_bytes() == before
    with_remotes.run("evergreen", "finish", "--push")


def listing_of_labels(project, commit):
    """Where DVC's cache lists the files of the labels of a run."""
    stages = yaml.safe_load(project.run("git", "show", f"{commit}:dvc.lock"))["stages"]
    md5 = stages["collect_labels"]["outs"][0]["md5"]
    return project.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def test_an_earlier_run_that_is_not_whole_is_left_out_of_a_push_and_named(with_remotes):
    first = with_remotes.run("git", "log", "--format=%H", "--", f"history/{DAY}.json")
    earlier = with_remotes.run("git", "rev-parse", f"{first.split()[-1]}~1").strip()
    listing_of_labels(with_remotes, earlier).unlink()
    said = with_remotes.run("evergreen", "finish", "--push")
    assert "of 1 commit pushed" in said
    assert f"left out, as some of their data is not here: {earlier[:7]}" in said
    assert "left out" not in with_remotes.run("evergreen", "finish", "--push")


def test_the_newest_run_is_not_pushed_unless_it_is_whole(with_remotes):
    listing_of_labels(with_remotes, "HEAD").unlink()
    said = refused(with_remotes, "evergreen", "finish", "--push")
    assert "neither in DVC's cache nor on the remote" in said
    with_remotes.run("bash", "-c", next_step(said))
    assert "of 0 commits pushed" in with_remotes.run("evergreen", "finish", "--push")


def test_an_object_that_is_lost_is_not_passed_over_when_pushing(with_remotes):
    cached(with_remotes, "purchase/golden.parquet").unlink()
    said = refused(with_remotes, "evergreen", "cycle", "--as-of", DAY, "--push")
    assert "neither in DVC's cache nor on the remote" in said
    with_remotes.run("bash", "-c", next_step(said))
    assert with_remotes.run("git", "status", "--short") == ""
