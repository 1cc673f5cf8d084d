"""Git is trusted, the DVC remote is not: whatever differs from its hash is refused."""

import json
import shutil
from pathlib import Path

import pytest

from evergreen.errors import DataError
from evergreen.vcs import verified_objects
from evergreen.vcs.dvc import dvc, reproduce
from evergreen.vcs.dvc_fetch import check_cache, check_out, fetch, fetch_all, is_laid_out
from evergreen.vcs.dvc_internals import listed_files, md5, pinned_md5
from evergreen.vcs.git import git
from evergreen.vcs.pinned_inputs import check_unaltered

RAW = Path("data/raw")
STORE, CACHE = Path("../store/files/md5"), Path(".dvc/cache/files/md5")


def listing():
    """The hash of the pinned folder's listing."""
    return pinned_md5(Path("data/raw.dvc").read_text())


def stored(md5_hex, folder=STORE):
    return folder / md5_hex[:2] / md5_hex[2:]


@pytest.fixture
def pushed(repository):
    """The repository with its objects on the remote alone, as in a fresh clone."""
    dvc("push", "--quiet")
    files = listed_files(stored(listing()))
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(RAW)
    return files


def alter(path, content=None):
    """Change a file to other content of the same length by default, and keep its mode."""
    mode, before = path.stat().st_mode, path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([before[0] ^ 1]) + before[1:] if content is None else content)
    path.chmod(mode)


def commit():
    return git("rev-parse", "HEAD").strip()


def test_data_are_laid_out_as_recorded(pushed):
    check_out()
    assert {path.name: path.read_text() for path in RAW.iterdir()} == {
        "1.txt": "one",
        "2.txt": "two",
    }
    fetch(commit(), RAW / "2.txt", Path("2.txt"))
    fetch(commit(), RAW, Path("all"))
    assert Path("2.txt").read_text() == (Path("all") / "2.txt").read_text() == "two"
    assert Path("2.txt").stat().st_mode & 0o200, "a copy of its own, not the cache's file"


def test_missing_files_are_noticed(pushed):
    assert not is_laid_out()
    fetch_all(commit())
    assert not is_laid_out()
    assert stored(pushed["2.txt"], CACHE).is_file()
    check_out()
    assert is_laid_out()
    (RAW / "2.txt").unlink()
    assert not is_laid_out()
    check_out(RAW)
    assert is_laid_out()


def test_an_altered_file_is_not_laid_out_and_named(pushed):
    alter(stored(pushed["2.txt"]))
    with pytest.raises(DataError, match=r"data/raw/2\.txt is altered on the DVC remote: .*/store/"):
        check_out()
    assert not RAW.exists()
    assert not stored(pushed["2.txt"], CACHE).exists()
    with pytest.raises(DataError, match=r"data/raw/2\.txt of commit \w+ is altered on the DVC"):
        fetch(commit(), RAW, Path("all"))
    assert not Path("all").exists()
    fetch(commit(), RAW / "1.txt", Path("1.txt"))


@pytest.mark.parametrize("verify", ["false", "true"])
def test_a_listing_that_leads_out_of_its_folder_is_refused(pushed, verify):
    dvc("remote", "modify", "--quiet", "store", "verify", verify)
    entries = json.loads(stored(listing()).read_text())
    entries[0]["relpath"] = "../../outside.txt"
    alter(stored(listing()), json.dumps(entries).encode())
    for lay_out in (check_out, lambda: fetch(commit(), RAW, Path("all"))):
        with pytest.raises(DataError, match=r"data/raw.* is altered on the DVC remote"):
            lay_out()
        assert not Path("outside.txt").exists()
        assert not stored(listing(), CACHE).exists()
    assert not RAW.exists()


def test_a_listing_that_is_no_json_is_refused(pushed):
    alter(stored(listing()), b"[" * 10_000)
    with pytest.raises(DataError, match="data/raw is altered on the DVC remote"):
        check_out()


def test_every_altered_object_is_dropped_at_once(pushed):
    for md5_hex in pushed.values():
        alter(stored(md5_hex))
    with pytest.raises(DataError, match="does not match its hash, and 2 others"):
        check_out()
    assert not any(stored(md5_hex, CACHE).exists() for md5_hex in pushed.values())


def test_what_dvc_itself_has_pulled_is_found_before_a_run_uses_it(pushed):
    alter(stored(pushed["2.txt"]))
    dvc("pull", "--quiet")
    assert (RAW / "2.txt").read_text() != "two"
    assert json.loads(dvc("status", "--json")) == {}, "DVC believes what it has laid out"
    with pytest.raises(DataError, match=r"data/raw/2\.txt is damaged: \.dvc/cache") as error:
        check_unaltered(RAW)
    alter(stored(pushed["2.txt"]), b"two")
    remove = error.value.next_step.partition(" && ")[0]
    assert remove == f"rm -rf {stored(pushed['2.txt'], CACHE)} data/raw/2.txt"
    stored(pushed["2.txt"], CACHE).unlink()
    (RAW / "2.txt").unlink()
    check_out()
    check_unaltered(RAW)
    assert (RAW / "2.txt").read_text() == "two"


def test_a_lost_object_is_named_with_the_reason(pushed):
    stored(pushed["2.txt"]).unlink()
    with pytest.raises(DataError, match=r"data/raw/2\.txt: neither in DVC's cache nor on the DVC"):
        check_out()
    dvc("config", "--quiet", "--unset", "core.remote")
    with pytest.raises(DataError, match="no default DVC remote is configured"):
        check_out()


def test_an_object_is_hashed_again_only_after_a_change(repository, monkeypatch):
    hashed = []
    monkeypatch.setattr(verified_objects, "md5", lambda path: hashed.append(path) or md5(path))
    check_cache()
    first = len(hashed)
    check_cache()
    assert (first, len(hashed)) == (3, 3), "the listing, and two files, one of them also an output"
    Path(".dvc/tmp/evergreen-verified.json").write_text("{")
    check_cache()
    assert len(hashed) == 6, "a damaged memory is an empty one"


def test_the_run_cache_of_the_remote_is_never_used(repository):
    """A remote could claim any output for a stage that was never run."""
    dvc("push", "--quiet")
    (RAW / "3.txt").write_text("three")
    dvc("add", "--quiet", "data/raw")
    dvc("repro", "--quiet")
    dvc("push", "--quiet", "--run-cache")
    assert list(Path("../store/runs").rglob("*"))
    git("restore", "data/raw.dvc", "dvc.lock")
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(RAW)
    check_out()
    assert not Path(".dvc/cache/runs").exists()
    (RAW / "3.txt").write_text("three")
    dvc("add", "--quiet", "data/raw")
    assert list(reproduce()) == ["copied"]
