"""What Evergreen relies on in DVC beyond its documented commands; a new release may change it."""

import ast
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from dvc import __version__

from evergreen.vcs import dvc_internals
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import dvc, outdated, reproduce
from evergreen.vcs.git import commit_at, git

SRC = Path(__file__).parents[2] / "src" / "evergreen"


@contextmanager
def relied_on(function):
    """Name DVC's version and the function concerned when what is relied on has changed."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a changed API raises
        pytest.fail(f"DVC {__version__} has changed {function}: {type(error).__name__}: {error}")


def pinned():
    return dvc_internals.pinned_md5(dvc_internals.pin_file(Path("data/raw")).read_text())


def cached(md5_hex):
    return Path(".dvc/cache/files/md5") / md5_hex[:2] / md5_hex[2:]


def test_objects_are_files_of_the_cache_named_by_their_md5(repository):
    with relied_on("the layout of the cache"):
        listing = json.loads(cached(pinned()).read_text())
        assert [file["relpath"] for file in listing] == ["1.txt", "2.txt"]
        for file in listing:
            assert dvc_internals.md5(repository / "data/raw" / file["relpath"]) == file["md5"]
            assert dvc_internals.md5(cached(file["md5"])) == file["md5"]
    with relied_on("the hash of a folder, the MD5 of its listing with .dir"):
        assert pinned() == f"{dvc_internals.md5(cached(pinned()))}.dir"


def test_dvc_lock_names_the_hashes_of_dependencies_and_outputs(repository):
    with relied_on("the schema of dvc.lock"):
        hashes = dvc_internals.locked_md5s(Path("dvc.lock").read_text())
        assert hashes == {
            "data/raw": pinned(),
            "copied.txt": dvc_internals.md5(repository / "copied.txt"),
        }


def test_status_names_what_is_not_up_to_date(repository):
    with relied_on("`dvc status --json`"):
        assert outdated() == []
        Path("data/raw/3.txt").write_text("three")
        assert sorted(outdated()) == ["copy", "data/raw.dvc"]


def test_repro_announces_each_stage_and_passes_its_output_on(repository):
    stages = Path("dvc.yaml").read_text()
    progress = "env | sed -n 's/^EVERGREEN_PROGRESS=/  > copy, /p' && "
    Path("dvc.yaml").write_text(
        stages.replace("copied.txt", "again.txt").replace("cp ", f"{progress}cp ")
    )
    with relied_on("the output of `dvc repro`"):
        started = []
        assert list(reproduce(started.append)) == ["copied"]
        assert started == ["copy", "copy: copy, lines"]
    Path("dvc.yaml").write_text(stages.replace("cp ", "false "))
    with (
        relied_on("the exit code of `dvc repro`"),
        pytest.raises(CommandError, match="failed to reproduce 'copy'"),
    ):
        list(reproduce())


def test_remotes_are_listed_by_name(repository):
    with relied_on("Config.from_cwd"):
        assert dvc_internals.remote_names() == ["store"]
    with relied_on("Repo.config"), dvc_internals.open_repository() as repo:
        name, settings = repo.default_remote()
        assert (name, Path(settings["url"]).name) == ("store", "store")
    dvc("config", "--quiet", "--unset", "core.remote")
    with relied_on("Repo.config"), dvc_internals.open_repository() as repo:
        assert repo.default_remote() == (None, None)


def test_checkout_fails_where_the_cache_lacks_an_object(repository):
    shutil.rmtree("data/raw")
    shutil.rmtree(".dvc/cache")
    with relied_on("the exit code of `dvc checkout`"), pytest.raises(CommandError):
        dvc("checkout", "--quiet", "data/raw.dvc")


def test_changes_of_pinned_files_are_found_and_added_files_are_none(repository):
    inputs = [Path("data/raw")]
    with relied_on("Repo.data_status"):
        Path("data/raw/3.txt").write_text("three")
        changes = dvc_internals.data_changes(inputs)
        assert [name for name in changes.modified if not name.endswith("/")] == []
        assert changes.deleted == []
        Path("data/raw/1.txt").write_text("changed")
        Path("data/raw/2.txt").unlink()
        changes = dvc_internals.data_changes(inputs)
        assert "data/raw/1.txt" in changes.modified
        assert changes.deleted == ["data/raw/2.txt"]
        assert not changes.lacks_objects
        shutil.rmtree(".dvc/cache")
        assert dvc_internals.data_changes(inputs).lacks_objects


def test_the_outputs_and_pins_of_the_working_folder_are_tracked(repository):
    with relied_on("Repo.index.outs"), dvc_internals.open_repository() as repo:
        of_file = dvc_internals.md5(Path("copied.txt"))
        assert repo.tracked() == {"data/raw": pinned(), "copied.txt": of_file}


def test_a_listing_names_files_and_their_hashes(repository):
    assert dvc_internals.listed_files(cached(pinned())) == {
        name: dvc_internals.md5(Path("data/raw") / name) for name in ("1.txt", "2.txt")
    }


def test_missing_objects_are_fetched_and_errors_of_the_remote_returned(repository):
    with relied_on("Repo.cloud and HashFileDB.add"), dvc_internals.open_repository() as repo:
        objects = [pinned(), *dvc_internals.listed_files(cached(pinned())).values()]
        repo.push(objects, few=False)
        shutil.rmtree(".dvc/cache")
        assert repo.fetch([*objects, "0" * 32]) is None
        assert [repo.is_cached(md5_hex) for md5_hex in objects] == [True] * 3
        assert repo.remote_path(pinned()).endswith(
            f"/store/{cached(pinned()).relative_to('.dvc/cache')}"
        )
    dvc("config", "--quiet", "core.remote", "elsewhere")
    dvc("remote", "add", "--quiet", "elsewhere", "http://127.0.0.1:9/")
    with relied_on("the errors of remotes"), dvc_internals.open_repository() as repo:
        assert "127.0.0.1:9" in repo.fetch(objects)
    dvc("config", "--quiet", "--unset", "core.remote")
    with relied_on("NoRemoteError"), dvc_internals.open_repository() as repo:
        assert repo.fetch(objects) == "no default DVC remote is configured"


def test_objects_are_listed_in_the_cache_and_removed_from_the_remote(repository):
    with (
        relied_on("HashFileDB.list_oids_exists and delete"),
        dvc_internals.open_repository() as repo,
    ):
        objects = [pinned(), *dvc_internals.listed_files(cached(pinned())).values()]
        assert set(objects) <= set(repo.cached_objects())
        repo.push(objects, few=False)
        altered = Path(repo.remote_path(objects[1]).removeprefix("file://"))
        altered.chmod(0o644)
        altered.write_text("altered")
        assert repo.kept_on_remote([*objects, "0" * 32]) == set(objects)
        repo.remove_from_remote(objects[:2])
        assert repo.kept_on_remote(objects) == set(objects[2:])
        assert not altered.exists()


def test_objects_of_the_remote_are_measured_and_listings_read_unless_altered(repository):
    objects = [pinned(), *dvc_internals.listed_files(cached(pinned())).values()]
    absent = f"{'0' * 32}.dir"
    with relied_on("HashFileDB.all and FileSystem.info"), dvc_internals.open_repository() as repo:
        assert repo.remote_sizes(objects) == {}, "nothing is pushed"
        repo.push(objects, few=False)
        sizes = {md5_hex: cached(md5_hex).stat().st_size for md5_hex in objects}
        assert repo.remote_sizes([*objects, absent]) == sizes
        assert repo.remote_removes()
    with relied_on("FileSystem.cat_file"), dvc_internals.open_repository() as repo:
        read = dict(repo.remote_listings([pinned(), absent]))
        assert read == {pinned(): cached(pinned()).read_bytes()}
        altered = Path(repo.remote_path(pinned()).removeprefix("file://"))
        altered.chmod(0o644)
        altered.write_text("[]")
        assert dict(repo.remote_listings([pinned()])) == {}


def test_what_was_removed_from_the_remote_is_pushed_again(repository):
    objects = [pinned(), *dvc_internals.listed_files(cached(pinned())).values()]
    with relied_on("the index of a remote"), dvc_internals.open_repository() as repo:
        repo.push(objects, few=False)
        repo.remove_from_remote(objects)
        assert repo.push(objects, few=False) == (3, 0)


def test_the_run_cache_names_the_outputs_of_stages(repository):
    Path("data/raw/1.txt").write_text("changed")
    dvc("repro", "--quiet")
    with relied_on("the run cache"), dvc_internals.open_repository() as repo:
        entries = list(repo.run_cache())
        assert {dvc_internals.md5(Path("copied.txt"))} in [outs for _, outs in entries]
        path = entries[0][0]
        path.write_text("[")
        assert (path, {""}) in list(repo.run_cache()), "one that is cut off is of no use"


@pytest.mark.parametrize("few", [False, True])
def test_objects_of_commits_are_pushed_one_by_one(repository, few):
    commit = str(commit_at(git("symbolic-ref", "HEAD").strip()))
    with relied_on("Repo.brancher and Index.used_objs"), dvc_internals.open_repository() as repo:
        objects = repo.objects_of([commit])
        assert objects[pinned()] in ("a folder", "data/raw")
        assert len(objects) == 3, "the listing, and two files, one of them also the output"
        assert repo.objects_of([]) == {}
    with relied_on("Repo.cache.local"), dvc_internals.open_repository() as repo:
        assert repo.is_cached(pinned())
        assert not repo.is_cached("0" * 32)
        assert repo.cache_path(pinned()) == cached(pinned())
    with relied_on("Repo.cloud"), dvc_internals.open_repository() as repo:
        assert repo.on_remote(objects) == set()
        assert repo.push(objects, few=few) == (3, 0)
        assert repo.on_remote(objects) == set(objects)
        assert repo.push(objects, few=few) == (0, 0)


def test_a_command_refuses_while_the_list_of_files_in_use_is_damaged(repository):
    user = {"pid": os.getpid(), "cmd": "dvc repro"}
    in_use = json.dumps({"write": {str(repository / "data" / "raw"): user}})
    for content in ("", in_use):
        dvc_internals.RWLOCK.write_text(content)
        with relied_on("the format of .dvc/tmp/rwlock"):
            with pytest.raises(CommandError):
                dvc("add", "--quiet", "data/raw")
            dvc_internals.remove_stale_rwlock()
            dvc("add", "--quiet", "data/raw")


def test_the_list_of_files_in_use_stays_while_a_dvc_is_at_work(repository):
    sleeper = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "dvc"]
    with subprocess.Popen(sleeper, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it has started
        user = {"pid": process.pid, "cmd": "dvc repro"}
        dvc_internals.RWLOCK.write_text(json.dumps({"read": {"data/raw": [user]}}))
        dvc_internals.remove_stale_rwlock()
        assert dvc_internals.RWLOCK.exists()
        process.kill()


def test_a_failure_names_the_version_of_dvc_and_the_function():
    with (
        pytest.raises(pytest.fail.Exception, match=rf"DVC {__version__} has changed Repo\.x: Key"),
        relied_on("Repo.x"),
    ):
        raise KeyError("uncommitted")


def test_no_other_file_imports_dvc():
    importing = {
        path.name
        for path in SRC.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.split(".")[0] in ("dvc", "dvc_data", "dvc_objects", "scmrepo")
    }
    assert importing == {"dvc_internals.py"}


def test_git_and_dvc_are_called_in_this_room_alone():
    calling = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.List)
        and node.elts
        and any(
            isinstance(word, ast.Constant) and word.value in ("git", "dvc")
            for word in node.elts[:3]
        )
    }
    assert calling == {"vcs/dvc.py", "vcs/git.py"}
