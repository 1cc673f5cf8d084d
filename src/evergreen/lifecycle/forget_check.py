"""Where the repository still holds a client, and how to remove it from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evergreen.history import forget_records
from evergreen.ingestion.user_files import files_matching
from evergreen.lifecycle.forget_remote import unsearched
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store.client_search import is_named_in
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc_internals import cache_folder, open_repository
from evergreen.vcs.git import all_objects, commits_with, paths_of_objects

PROGRAM = {"src", "tests", "docs", "benchmarks", "scripts", "configs", ".github", ".git", ".venv",
           ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__"}  # fmt: skip
"""Folders of the program and its tools, which hold no clients."""
FORGET = 'evergreen forget ID --reason "..."'
WAYS = {
    paths.QUARANTINE: f"rm -r {paths.QUARANTINE}; the next ingestion lists bad rows again",
    Path(".cache"): "rm -r .cache; it is computed again",
    Path(".dvc/tmp"): "dvc queue remove --all; rm -r .dvc/tmp/exps",
    Path("data"): FORGET,
    Path("logs"): FORGET,
}
"""How to remove a client from the files below some folders."""
BY_HAND = "edit or remove them"
SHOWN = 3
TEXTS = {".csv", ".tsv", ".txt", ".log", ".jsonl"}
PART_BYTES = 1 << 26


@dataclass(frozen=True)
class Finding:
    """Files that hold a client.

    Attributes
    ----------
    names
        The files, each with the place in it.
    next_step
        How to remove the client.
    ours
        Whether they should not hold it any more; the user's own source may.
    """

    where: str
    names: list[str]
    next_step: str
    ours: bool = True

    def __str__(self) -> str:
        """The first few files, a line each, and what to do."""
        more = len(self.names) - SHOWN
        listed = [*self.names[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
        mark = "!!" if self.ours else " !"
        places = "".join(f"\n       {name}" for name in listed)
        return f"{mark}   {self.where}:{places}\n     Next: {self.next_step}"


def find(client: str) -> Iterator[Finding]:
    """Search everything that this repository holds for a client's id; change nothing.

    Yields
    ------
    Finding
        One for each kind of place that holds it.
    """
    sources = _sources()
    yield from _in_files(client, sources)
    yield from _in_cache(client)
    yield from _on_remote(client)
    yield from _in_git(client)
    if names := [name for path in sources if (name := _named(path, client))]:
        step = "have the next export made without the client; its rows are left out until then"
        yield Finding("source", names, step, ours=False)


def not_searched() -> list[str]:
    """A line for each table of the source that is in a database, and for older data elsewhere."""
    with open_repository() as repo:
        try:
            elsewhere = unsearched(repo) if repo.default_remote()[1] is not None else None
        except Exception as error:  # noqa: BLE001 - each kind of remote has its own errors
            elsewhere = f"the DVC remote can't be reached, and is not searched: {error}"
    databases = [
        f"{key}: its database is not searched; its rows of forgotten clients are left out"
        for key, table in load_settings().source.tables.items()
        if table.files is None
    ]
    return [*databases, elsewhere] if elsewhere else databases


def _sources() -> set[Path]:
    """The files of the source, wherever they are."""
    tables = load_settings().source.tables.values()
    patterns = [pattern for table in tables for pattern in table.patterns]
    return {path for pattern in patterns for path in files_matching(pattern) if path.is_file()}


def _in_files(client: str, sources: set[Path]) -> Iterator[Finding]:
    cache = cache_folder()
    found: dict[Path, list[str]] = {}
    for path in _files(Path(), cache):
        if path not in sources and (name := _named(path, client)):
            way = next((below for below in WAYS if path.is_relative_to(below)), None)
            found.setdefault(way or Path(path.parts[0]), []).append(name)
    for place, names in found.items():
        yield Finding(str(place), names, WAYS.get(place, BY_HAND))


def _files(folder: Path, cache: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path == cache or path.name in PROGRAM:
            continue
        if path.is_dir():
            yield from _files(path, cache)
        elif path.is_file():
            yield path


def _named(path: Path, client: str) -> str | None:
    """The file with the place in it where it names the client; None if it does not."""
    places = (is_named_in(path.name, content, client) for content in _contents(path))
    place = next(filter(None, places), None)
    return None if place is None else f"{path} ({place})"


def _contents(path: Path) -> Iterator[bytes]:
    """A file; a large text in parts, each with the first line."""
    with path.open("rb") as file:
        if path.suffix not in TEXTS:
            yield file.read()
            return
        first = file.readline()
        while part := file.read(PART_BYTES):
            yield first + part + file.readline()
        yield first


def _in_cache(client: str) -> Iterator[Finding]:
    with open_repository() as repo:
        cached = [repo.cache_path(md5_hex) for md5_hex in repo.cached_objects()]
    names = [name for path in cached if path.is_file() and (name := _named(path, client))]
    if names:
        yield Finding("DVC's cache", names, FORGET)


def _on_remote(client: str) -> Iterator[Finding]:
    """The objects of earlier records; the remote itself is not read."""
    del client  # an object is of all clients that its record forgot
    objects = {md5_hex for record in forget_records.read_all() for md5_hex in record.objects}
    with open_repository() as repo:
        if not objects or repo.default_remote()[1] is None:
            return
        names = [repo.remote_path(md5_hex) for md5_hex in sorted(repo.kept_on_remote(objects))]
    if names:
        yield Finding("DVC remote", names, "evergreen forget --remote")


def _in_git(client: str) -> Iterator[Finding]:
    try:
        known = paths_of_objects()
    except CommandError:  # no commit yet
        return
    history, messages, unreachable = [], [], []
    for name, kind, content in all_objects():
        path = known.get(name)
        if path is not None and PROGRAM & set(Path(path).parts):
            continue
        place = is_named_in(path or "", content, client)
        if place is None:
            continue
        if path is None:
            unreachable.append(f"{kind} {name[:7]} ({place})")
        elif kind == "blob":
            commits = ", ".join(commits_with(name)[:SHOWN])
            history.append(f"{path} ({place}) in {commits or 'a stash or the index'}")
        else:
            messages.append(f"{kind} {name[:7]} ({place})")
    again = "then push by force, and clone anew everywhere"
    if history:
        step = f"git filter-repo --replace-text FILE (or --invert-paths --path PATH), {again}"
        yield Finding("git history", history, step)
    if messages:
        yield Finding("git messages", messages, f"git filter-repo --replace-message FILE, {again}")
    if unreachable:
        step = "git reflog expire --expire=now --all && git gc --prune=now"
        yield Finding("git objects of no branch", unreachable, step)
