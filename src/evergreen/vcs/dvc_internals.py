"""Everything of DVC beyond its documented commands: Python API, file formats, cache layout.

``tests/vcs/test_dvc_internals.py`` fails when a release of DVC changes any of it.
"""
# ruff: noqa: PLC0415 - importing dvc takes half a second, and few commands need it

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from evergreen.settings import paths
from evergreen.store.files import sync_file_systems

CACHE = ".dvc/cache/files/md5"
NO_REMOTE = "no default DVC remote is configured"
RWLOCK = Path(".dvc/tmp/rwlock")
"""DVC's list of the files in use, with the processes that use them."""


def md5(path: Path) -> str:
    """MD5 of a file's bytes in hexadecimal, by which DVC names objects."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def cache_folder() -> Path:
    """The folder of DVC's cache, which its settings may move."""
    settings = ConfigParser(interpolation=None)
    settings.read([".dvc/config", ".dvc/config.local"], encoding="utf-8")
    return Path(".dvc") / settings.get("cache", "dir", fallback="cache")


def object_path(md5_hex: str) -> str:
    """The cache file of an object, relative to the root; a folder's hash ends in ``.dir``."""
    return f"{CACHE}/{md5_hex[:2]}/{md5_hex[2:]}"


def pin_file(path: Path) -> Path:
    """The ``.dvc`` file that pins a file or folder."""
    return path.with_name(f"{path.name}.dvc")


def pinned_md5(text: str) -> str:
    """The hash that the text of a ``.dvc`` file pins."""
    return str(yaml.safe_load(text)["outs"][0]["md5"])


def locked_md5s(text: str) -> dict[str, str]:
    """The hash of each dependency and output in the text of a ``dvc.lock``, by path."""
    # The C loader of YAML reads a history of years in seconds.
    stages = yaml.load(text, Loader=yaml.CSafeLoader)["stages"]
    return {
        entry["path"]: entry["md5"]
        for stage in stages.values()
        for entry in (*stage.get("deps", ()), *stage.get("outs", ()))
    }


def write_data_through() -> None:
    """Make sure that the data that ``dvc.lock`` and ``.dvc`` files name is on the disk.

    DVC leaves it to the system when its files, and those of its cache, are written. What names the
    data, such as a commit or the settings of the next run, must not survive a power loss without.
    """
    sync_file_systems(Path(), cache_folder())


def parse_status(text: str) -> list[str]:
    """The stages and ``.dvc`` files that are not up to date, from `dvc status --json`."""
    return list(json.loads(text))


def started_stage(line: str) -> str | None:
    """The name of the stage that starts, if this line of `dvc repro` says so."""
    match = re.match(r"Running stage '(.+?)'", line)
    return match[1] if match else None


def remove_stale_rwlock() -> None:
    """Remove DVC's list of the files in use unless a running dvc process is in it.

    DVC drops entries of dead processes, but fails on a list truncated by a kill or a full disk, and
    respects an entry whose process number another program has taken.
    """
    if not RWLOCK.is_file():
        return
    try:
        users: dict[str, Any] = json.loads(RWLOCK.read_text(encoding="utf-8"))
    except ValueError:
        users = {}
    readers = [reader for readers in users.get("read", {}).values() for reader in readers]
    if not any(_is_dvc(user["pid"]) for user in (*users.get("write", {}).values(), *readers)):
        RWLOCK.unlink(missing_ok=True)


def is_at_work() -> bool:
    """Whether a dvc process uses files here, as far as its list of them tells."""
    remove_stale_rwlock()
    return RWLOCK.is_file() and RWLOCK.read_text(encoding="utf-8").strip() != "{}"


def _is_dvc(pid: int) -> bool:
    try:
        return any("dvc" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def is_cut_off(name: str, text: str, committed: str | None) -> bool:
    """Whether the text of a ``dvc.lock`` or ``.dvc`` file is not whole.

    YAML that was cut off often parses. So a text is also not whole if it lacks the end of a line,
    or a stage that the committed one has.
    """
    if not text.endswith("\n"):
        return True
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA, COMPILED_SINGLE_STAGE_SCHEMA
    from voluptuous import Invalid

    lock = name == str(paths.DVC_LOCK)
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
        (COMPILED_LOCKFILE_SCHEMA if lock else COMPILED_SINGLE_STAGE_SCHEMA)(content)
    except (yaml.YAMLError, Invalid):
        return True
    if not lock:
        return not any({"md5", "path"} <= out.keys() for out in content.get("outs", ()))
    if committed is None:
        return False
    before = yaml.load(committed, Loader=yaml.CSafeLoader)
    return bool(before["stages"].keys() - content.get("stages", {}).keys())


class DataChanges(NamedTuple):
    """Differences between pinned folders and their pins; names of folders end in a slash."""

    modified: list[str]
    deleted: list[str]
    lacks_objects: bool


def data_changes(inputs: Iterable[Path]) -> DataChanges:
    """Compare pinned folders with their pins, file by file; added files don't count.

    `lacks_objects` is true if the cache lacks some of what is pinned. Git is left out: DVC would
    rewrite its index, and leave a lock on a full disk.
    """
    from dvc.repo import Repo

    with Repo(config={"core": {"no_scm": True}}) as repo:
        status = repo.data_status(targets=list(map(str, inputs)), granular=True)
    changes = status["uncommitted"]
    return DataChanges(
        changes.get("modified", []), changes.get("deleted", []), bool(status["not_in_cache"])
    )


def listed_files(listing: Path) -> dict[str, str]:
    """The hash of each file of a folder by its path in it, from the object that lists them."""
    return parse_listing(listing.read_bytes())


def parse_listing(content: bytes) -> dict[str, str]:
    """The hash of each file of a folder by its path in it, from the bytes that list them."""
    return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def remote_names() -> list[str]:
    """The names of the DVC remotes; `dvc remote list` wraps long addresses into further lines."""
    from dvc.config import Config

    return list(Config.from_cwd()["remote"])


@contextmanager
def open_repository() -> Iterator[OpenRepository]:
    """Open the repository with DVC's API; its log is silent, as errors are raised."""
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    with Repo() as repo:
        yield OpenRepository(repo)


class OpenRepository:
    """Queries that would take half a second each as commands."""

    def __init__(self, repo: Any) -> None:  # noqa: ANN401 - dvc has no types
        self._repo = repo

    def default_remote(self) -> tuple[str | None, dict[str, Any] | None]:
        """The name and the settings of the default remote; settings are None without one."""
        name = self._repo.config["core"].get("remote")
        return name, self._repo.config["remote"].get(name)

    def is_cached(self, md5_hex: str) -> bool:
        """Whether the cache has an object."""
        return bool(self._repo.cache.local.exists(md5_hex))

    def cache_path(self, md5_hex: str) -> Path:
        """Where the cache has an object, or would have it; relative to the root, if inside it."""
        path, root = Path(self._repo.cache.local.oid_to_path(md5_hex)), self._repo.root_dir
        return path.relative_to(root) if path.is_relative_to(root) else path

    def cached_objects(self) -> Iterator[str]:
        """The hash of every object in the cache, in order."""
        for path in sorted(Path(self._repo.cache.local.path).glob("??/*")):
            yield path.parent.name + path.name

    def tracked(self) -> dict[str, str]:
        """The hash of each output and pinned input in the working folder's files, by path.

        Without imports, which come from elsewhere.
        """
        root = Path(self._repo.root_dir)
        return {
            Path(out.fs_path).relative_to(root).as_posix(): out.hash_info.value
            for out in self._repo.index.outs
            if out.use_cache and out.hash_info and not out.stage.is_import
        }

    def fetch(self, md5s: Iterable[str]) -> str | None:
        """Copy objects from the default remote into the cache, without comparing any hash.

        Returns
        -------
        str or None
            The first error other than a missing object: the remote's, or that there is none.
        """
        from dvc.config import NoRemoteError

        errors: list[BaseException] = []
        try:
            remote, wanted = self._remote_objects(), list(md5s)
            self._repo.cache.local.add(
                [remote.oid_to_path(md5_hex) for md5_hex in wanted],
                remote.fs,
                wanted,
                check_exists=False,
                on_error=lambda _md5_hex, error: errors.append(error),
                batch_size=remote.fs.jobs,
            )
        except NoRemoteError:
            return NO_REMOTE
        except Exception as error:  # noqa: BLE001 - each kind of remote has its own errors
            errors.append(error)
        return next((str(e) for e in errors if not isinstance(e, FileNotFoundError)), None)

    def remote_path(self, md5_hex: str) -> str:
        """Where the default remote has an object, or would have it."""
        remote = self._remote_objects()
        return str(remote.fs.unstrip_protocol(remote.oid_to_path(md5_hex)))

    def objects_of(self, commits: list[str]) -> dict[str, str]:
        """The objects that some commits name: hash and file, or ``a folder``."""
        objects: dict[str, str] = {}
        for _ in self._repo.brancher(revs=commits, workspace=False) if commits else ():
            # By force: DVC would ask at the terminal about a folder whose listing is lost.
            used = self._repo.index.used_objs(push=True, force=True).values()
            outs = [out.hash_info for out in self._repo.index.outs if out.use_cache]
            for info in (*outs, *(info for infos in used for info in infos)):
                if info:
                    objects[info.value] = info.obj_name or "a folder"
        return objects

    def on_remote(self, md5s: Iterable[str]) -> set[str]:
        """Which of some objects the default remote has."""
        return set(self._remote_objects().oids_exist(list(md5s)))

    def kept_on_remote(self, md5s: Iterable[str]) -> set[str]:
        """Which of some objects the default remote has, sound or altered."""
        return set(self._remote_objects().list_oids_exists(list(md5s)))

    def remote_sizes(self, md5s: Iterable[str]) -> dict[str, int]:
        """The bytes of each of some objects that the default remote has.

        Without asking for each of them, where the remote can list what it has.
        """
        remote, wanted = self._remote_objects(), set(md5s)
        there = sorted(wanted & set(remote.all()) if remote.fs.CAN_TRAVERSE else wanted)
        found = remote.fs.info(list(map(remote.oid_to_path, there)), return_exceptions=True)
        sizes = {}
        for md5_hex, info in zip(there, found, strict=True):
            if isinstance(info, Exception):
                if not isinstance(info, FileNotFoundError):
                    raise info
            else:
                sizes[md5_hex] = int(info["size"] or 0)
        return sizes

    def remote_listings(self, md5s: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Read listings of folders from the default remote, without keeping them.

        Yields
        ------
        tuple of str and bytes
            The hash and the content, which has this hash; those missing or altered are left out.
        """
        remote = self._remote_objects()

        def content(md5_hex: str) -> bytes:
            try:
                return bytes(remote.fs.cat_file(remote.oid_to_path(md5_hex)))
            except FileNotFoundError:
                return b""

        wanted = list(md5s)
        with ThreadPoolExecutor(remote.fs.jobs) as pool:
            for md5_hex, text in zip(wanted, pool.map(content, wanted), strict=True):
                if f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir" == md5_hex:
                    yield md5_hex, text

    def remote_removes(self) -> bool:
        """Whether DVC can remove from the default remote; not over HTTP."""
        return bool(self._remote_objects().fs.CAN_TRAVERSE)

    def remove_from_remote(self, md5s: Iterable[str]) -> None:
        """Remove objects that the default remote has, the listings of folders last.

        So a second call finds what a killed one has left.
        """
        from dvc_data.hashfile.db import get_index

        remote, removed = self._remote_objects(), list(md5s)
        for listings in (False, True):
            if some := [m for m in removed if m.endswith(".dir") is listings]:
                remote.fs.remove(list(map(remote.oid_to_path, some)))
        get_index(remote).clear()

    def run_cache(self) -> Iterator[tuple[Path, set[str]]]:
        """The entries of DVC's run cache: each file, with the hashes of the outputs it names."""
        for path in sorted(Path(self._repo.stage_cache.cache_dir).glob("??/*/*")):
            try:
                entry = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
                yield path, {out["md5"] for out in entry["outs"]}
            except (yaml.YAMLError, KeyError, TypeError):  # cut off by a kill: of no use
                yield path, {""}

    def push(self, md5s: Iterable[str], *, few: bool) -> tuple[int, int]:
        """Push objects to the default remote.

        Parameters
        ----------
        md5s
            Their hashes.
        few
            Ask the remote for each of them. Otherwise DVC lists all that is there, or asks for
            every folder that was ever pushed, which takes longer with every run.

        Returns
        -------
        tuple of int
            How many were pushed, and how many failed.
        """
        from dvc_data.hashfile.hash_info import HashInfo

        remote = None
        if few:
            remote = self._remote_objects()
            remote.tmp_dir = None  # no index of the remote's content
            remote.fs.CAN_TRAVERSE = False
        with self._repo.lock:
            done = self._repo.cloud.push({HashInfo("md5", md5_hex) for md5_hex in md5s}, odb=remote)
        return len(done.transferred), len(done.failed)

    def _remote_objects(self) -> Any:  # noqa: ANN401
        return self._repo.cloud.get_remote_odb(None, "push", hash_name="md5")
