"""Move the checked-out branch to another commit; whatever stops it, the next command completes it.

git updates files one by one, and what a kill leaves looks like changes by hand. So the old and the
new commit are written to a journal first, files are replaced by renames, and the branch itself
moves last. The journal stays until the data of the new commit is in place as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from evergreen.errors import EvergreenError
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.commands import CommandError
from evergreen.vcs.git import OWN_INDEX, commit_at, current_branch, git, git_folders, local_ref

JOURNAL = paths.LOCK.with_name("evergreen-move.json")
SCRATCH = paths.LOCK.with_name("evergreen-files")
INDEX = paths.LOCK.with_name("evergreen-index")
WORKTREE = paths.LOCK.with_name("evergreen-worktree")
ABSENT, SYMLINK, SUBMODULE = "0", "120000", "160000"
CHUNK = 500
"""Names on one command line."""


class Move(NamedTuple):
    """A move of a branch from one commit to another, and why."""

    branch: str
    old: str
    new: str
    reason: str


class Change(NamedTuple):
    """A file that differs between two commits: its hashes, zeros where it is absent."""

    path: Path
    old: str
    new: str
    mode: str


def move_branch(to: str, reason: str) -> None:
    """Move the checked-out branch, the index and the files to a commit.

    Call `complete` once the data of the commit is in place.

    Raises
    ------
    EvergreenError
        If a file that differs between the commits is modified, or an untracked one is in the way;
        nothing is changed then.
    """
    old, new = (git("rev-parse", f"{commit}^{{commit}}").strip() for commit in ("HEAD", to))
    if old == new:
        return
    move = Move(current_branch(), old, new, reason)
    check_unmodified({str(change.path) for change in _changes(move)})
    outdated = _outdated(move)
    files.write_json(move._asdict(), JOURNAL)
    _carry_out(move, outdated)


def check_unmodified(names: Collection[str] | None = None) -> None:
    """Refuse modified tracked files: some, or all by default.

    Raises
    ------
    EvergreenError
        With the files.
    """
    modified = {
        name
        for option in ([], ["--cached"])
        for name in git("diff", *option, "--name-only", "-z").split("\0")
        if name and (names is None or name in names)
    }
    if modified:
        listed = "".join(f"\n  {name}" for name in sorted(modified))
        raise EvergreenError(
            f"tracked files are modified:{listed}",
            "git commit them, or git restore --staged --worktree . ; then the same command again",
        )


def resume() -> str | None:
    """Complete a move that was stopped; return its reason, or None if there was none.

    A journal is out of date if the branch has moved otherwise since.

    Raises
    ------
    EvergreenError
        If a file has neither its old nor its new content.
    """
    if not JOURNAL.is_file():
        return None
    move = Move(**json.loads(JOURNAL.read_text("utf-8")))
    at = commit_at(local_ref(move.branch))
    if current_branch() != move.branch or at not in (move.old, move.new):
        complete()
        return None
    _carry_out(move, _outdated(move))
    return move.reason


def complete() -> None:
    """Close the journal: the data of the commit is in place."""
    JOURNAL.unlink(missing_ok=True)


def replay_commits(onto: str, commits: Iterable[str]) -> tuple[str, list[str]]:
    """Apply commits after another one, aside from the working folder.

    Returns
    -------
    (str, list of str)
        The last of the new commits, and those that conflict and were left out.
    """
    chosen, conflicting = list(commits), []
    if not chosen:
        forget_worktree()
        return git("rev-parse", onto).strip(), []
    with _aside(onto) as aside:
        for commit in chosen:
            try:
                aside("cherry-pick", commit)
            except CommandError:
                if aside("status", "--porcelain"):
                    conflicting.append(commit)
                    aside("cherry-pick", "--abort")
                else:  # its changes are there already
                    aside("cherry-pick", "--skip")
        return aside("rev-parse", "HEAD").strip(), conflicting


def merged(commit: str, message: str) -> str:
    """Merge a commit with HEAD, aside from the working folder; return the new commit."""
    if git("rev-list", "--count", f"{commit}..HEAD").strip() == "0":
        return commit
    with _aside("HEAD") as aside:
        aside("merge", "--quiet", "--message", message, commit)
        return aside("rev-parse", "HEAD").strip()


@contextmanager
def _aside(commit: str) -> Iterator[Callable[..., str]]:
    """Check out a commit in a folder of its own; a function that runs git there is yielded."""
    forget_worktree()
    options = ("-c", f"core.hooksPath={os.devnull}")
    git(*options, "worktree", "add", "--quiet", "--detach", str(WORKTREE), commit)
    try:
        yield lambda *arguments: git(*options, "-C", str(WORKTREE), *arguments)
    finally:
        forget_worktree()


def forget_worktree() -> None:
    """Remove the folder of `replay_commits`, also one that a kill has left."""
    files.remove(WORKTREE)
    for folder in git_folders():
        for record in folder.glob(f"worktrees/{WORKTREE.name}*"):
            files.remove(record)


def _changes(move: Move) -> list[Change]:
    options = ("--raw", "-z", "--no-renames", "--no-abbrev")
    fields = git("diff", *options, move.old, move.new).split("\0")[:-1]
    changes = []
    for about, name in zip(fields[::2], fields[1::2], strict=True):
        old_mode, mode, old, new, _ = about.removeprefix(":").split(" ")
        if SUBMODULE not in (old_mode, mode):
            changes.append(Change(Path(name), old, new, mode))
    return changes


def _outdated(move: Move) -> list[Change]:
    """The changed files that still have their old content.

    Raises
    ------
    EvergreenError
        If one has neither.
    """
    changes = _changes(move)
    now = _hashes([change.path for change in changes])
    outdated: list[Change] = []
    others: list[Change] = []
    for change in changes:
        found = now.get(change.path, ABSENT)
        if _same(found, change.new):
            continue
        (outdated if _same(found, change.old) or found == ABSENT else others).append(change)
    if others:
        names = "\n".join(f"  {change.path}" for change in others)
        raise EvergreenError(
            f"{move.reason}: these files have neither the content of commit {move.old[:7]} nor "
            f"that of {move.new[:7]}:\n{names}",
            "move them to another folder, then the same command again",
        )
    return outdated


def _same(found: str, expected: str) -> bool:
    return expected.strip(ABSENT) == "" if found == ABSENT else found == expected


def _hashes(places: list[Path]) -> dict[Path, str]:
    """The hash that git gives the content of each file that exists."""
    hashes: dict[Path, str] = {}
    existing = [path for path in places if path.is_file() and not path.is_symlink()]
    for chunk in _chunks([str(path) for path in existing]):
        hashes |= zip(map(Path, chunk), git("hash-object", "--", *chunk).split(), strict=True)
    for path in places:
        if path.is_symlink():
            target = os.fsencode(path.readlink())
            blob = b"blob %d\0%b" % (len(target), target)
            sha256 = git("rev-parse", "--show-object-format").strip() == "sha256"
            hashes[path] = hashlib.new("sha256" if sha256 else "sha1", blob).hexdigest()
    return hashes


def _carry_out(move: Move, outdated: list[Change]) -> None:
    gone = [change for change in outdated if not change.new.strip(ABSENT)]
    written = [change for change in outdated if change.new.strip(ABSENT)]
    for change in gone:
        change.path.unlink(missing_ok=True)
        _remove_empty(change.path.parent)
    _write([change.path for change in written], move.new)
    for chunk in _chunks([str(change.path) for change in _changes(move)]):
        git("reset", "--quiet", move.new, "--", *chunk)
    if commit_at(local_ref(move.branch)) == move.old:
        git("update-ref", "-m", move.reason, "HEAD", move.new, move.old)


def _remove_empty(folder: Path) -> None:
    while folder != Path() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _write(places: Sequence[Path], commit: str) -> None:
    """Replace files by those of a commit, each by one rename."""
    if not places:
        return
    files.remove(SCRATCH)
    index = {OWN_INDEX: str(INDEX.resolve())}
    git("read-tree", commit, **index)
    for chunk in _chunks([str(path) for path in places]):
        git("checkout-index", f"--prefix={SCRATCH}/", "--", *chunk, **index)
    files.write_through(SCRATCH)
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        (SCRATCH / path).replace(path)
    files.remove(SCRATCH)
    files.remove(INDEX)


def _chunks(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
