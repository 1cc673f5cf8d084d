"""git: commands, revisions, branches, and commits that leave the working folder alone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from evergreen.settings import paths
from evergreen.vcs.commands import CommandError, run

BATCH = 100
"""Files that one git process reads."""
OWN_REFS = "refs/evergreen/"
"""Marks of this clone, which need no data."""
OWN_INDEX = "GIT_INDEX_FILE"
READS = {"diff", "for-each-ref", "hash-object", "log", "ls-files", "ls-remote", "ls-tree",
         "merge-base", "remote", "rev-list", "rev-parse", "show", "status"}  # fmt: skip
"""Commands that write nothing, so that a kill of one leaves nothing."""
CONFIG = {"core.fsync": "all", "gc.autoDetach": "false", "maintenance.autoDetach": "false"}
"""What is committed survives a power loss; nothing goes on in the background after a command."""
OPTIONS = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
"""Reading commands write nothing, and messages are in English, for some of them are read here."""


def git(*arguments: str, **variables: str) -> str:
    """Run git, with further environment variables; return its output.

    Reading commands write nothing, not even a refreshed index: the disk may be full.

    Raises
    ------
    CommandError
        With git's own message.
    """
    if arguments[0] in READS:
        return run(["git", *arguments], "git status", OPTIONS | variables, writes=False)
    return run(["git", *arguments], "git status", _config() | variables)


def _config() -> dict[str, str]:
    """`CONFIG` as environment variables, after those that the caller has."""
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    options = OPTIONS | {"GIT_CONFIG_COUNT": str(first + len(CONFIG))}
    for number, (key, value) in enumerate(CONFIG.items(), first):
        options |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return options


def git_folders() -> set[Path]:
    """The folders of git: of this working folder, and shared by all of the repository."""
    return {Path(git("rev-parse", option).strip()) for option in ("--git-dir", "--git-common-dir")}


def current_branch() -> str:
    """The branch that is checked out; ``HEAD`` where none is."""
    return git("rev-parse", "--abbrev-ref", "HEAD").strip()


def upstream_branch() -> str | None:
    """The upstream of the current branch, such as ``origin/main``; None without one."""
    try:
        return git("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}").strip()
    except CommandError:
        return None


def remote_name() -> str | None:
    """The git remote of the upstream branch; None without an upstream."""
    upstream = upstream_branch()
    return None if upstream is None else upstream.partition("/")[0]


def changes(*names: str | Path, untracked: bool = True) -> str:
    """Uncommitted changes of some files, one per line as `git status --porcelain` shows them."""
    option = [] if untracked else ["--untracked-files=no"]
    return git("status", "--porcelain", *option, "--", *map(str, names))


def show(commit: str, path: str | Path) -> str:
    """The text of a file in a commit."""
    return git("show", f"{commit}:{path}")


def files_at(commit: str, *names: str | Path) -> list[str]:
    """The files below some folders in a commit."""
    return git("ls-tree", "-r", "--name-only", commit, "--", *map(str, names)).split()


def last_commit_of(path: Path) -> str | None:
    """The last commit that changed a file; None where none has."""
    return git("log", "-1", "--format=%H", "--", str(path)).strip() or None


def commit_at(ref: str) -> str | None:
    """The commit that a full reference points to; None where there is no such reference."""
    return git("for-each-ref", "--format=%(objectname)", ref).strip() or None


def commit(message: str, *names: str | Path) -> None:
    """Commit some files, and no others, unless they are committed already."""
    chosen = ("--", *map(str, names))
    git("add", *chosen)
    if git("diff", "--cached", "--name-only", *chosen):
        git("commit", "--quiet", "--message", message, *chosen)


def local_ref(branch: str) -> str:
    """The full reference of a branch of this clone."""
    return f"refs/heads/{branch}"


def remote_ref(remote: str, branch: str) -> str:
    """The full reference of a remote's branch, as last fetched."""
    return f"refs/remotes/{remote}/{branch}"


def branches(pattern: str) -> list[tuple[str, str]]:
    """The full references and commits of branches, those of remotes before those of this clone."""
    refs = remote_ref("*", pattern), local_ref(pattern)
    lines = [git("for-each-ref", "--format=%(refname) %(objectname)", ref) for ref in refs]
    return [(ref, at) for ref, at in map(str.split, "".join(lines).splitlines())]


def is_merged(ref: str) -> bool:
    """Whether the current branch contains a branch."""
    return bool(git("for-each-ref", "--merged", "HEAD", "--format=%(refname)", ref))


def commit_on_branch(branch: str, names: Sequence[str], message: str) -> tuple[str, str]:
    """Commit some files on a new branch; HEAD and the index stay as they are.

    A kill leaves either no branch or a complete one.

    Returns
    -------
    tuple of str
        The full reference of the branch, and the commit.
    """
    index = _own_index()
    git("read-tree", "HEAD", **index)
    git("add", "--", *names, **index)
    tree = git("write-tree", **index).strip()
    new = git("commit-tree", tree, "-p", "HEAD", "-m", message).strip()
    git("update-ref", local_ref(branch), new)
    return local_ref(branch), new


def merge_without_files(other: str, message: str, *, but: Path | None = None) -> str:
    """Merge a commit with only one of its files, or none; return the new commit.

    The branch stays where it is.
    """
    index = _own_index()
    git("read-tree", "HEAD", **index)
    if but is not None:
        blob = git("rev-parse", f"{other}:{but}").strip()
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{but}", **index)
    tree = git("write-tree", **index).strip()
    return git("commit-tree", tree, "-p", "HEAD", "-p", other, "-m", message).strip()


def _own_index() -> dict[str, str]:
    """A separate index, so that a kill leaves the user's as it was."""
    return {OWN_INDEX: str((paths.LOCK.parent / "review-index").resolve())}


def restore_files_of(other: str, *, but: Path) -> None:
    """Restore every file that a commit changes to its state at HEAD, except one.

    Those that it adds are removed.
    """
    changed = git("diff", "--name-status", "--no-renames", "HEAD", other).splitlines()
    restored: list[str] = []
    for status, name in (line.split("\t", 1) for line in changed):
        if status == "A":
            Path(name).unlink(missing_ok=True)
        elif name != str(but):
            restored.append(name)
    if restored:
        git("restore", "--source=HEAD", "--worktree", "--", *restored)


def all_objects() -> Iterator[tuple[str, str, bytes]]:
    """Every file, commit and tag that git holds, also those of no branch: hash, kind, content."""
    command = ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        output = cast("BinaryIO", process.stdout)
        while header := output.readline():
            name, kind, size = header.decode().split()
            content = output.read(int(size))
            output.read(1)  # the end of the line
            if kind != "tree":
                yield name, kind, content


def kept_commits() -> dict[str, str]:
    """Every commit that a branch, tag, stash or working folder is at, with the name of one of them.

    Branches of remotes are included, as last fetched, and the experiments of DVC.
    """
    fields = "%(objecttype)%09%(objectname)%09%(*objecttype)%09%(*objectname)%09%(refname)"
    names: dict[str, str] = {}
    for line in git("for-each-ref", f"--format={fields}").splitlines():
        *objects, ref = line.split("\t")
        short = re.sub("^refs/(heads/|remotes/|tags/)?", "", ref)
        if ref.startswith(OWN_REFS):
            continue
        if ref.endswith("stash"):  # its entries are in its log; each has its index as a parent
            log = git("log", "--walk-reflogs", "--format=%H %P", ref).split()
            names |= dict.fromkeys(log, short)
        elif "commit" in objects:
            names.setdefault(objects[objects.index("commit") + 1], short)
    trees = git("worktree", "list", "--porcelain").splitlines()
    heads = [line.removeprefix("HEAD ") for line in trees if line.startswith("HEAD ")]
    return dict.fromkeys(heads, "a working folder") | names


def blobs_at(commit: str) -> dict[str, str]:
    """The hash that git has for each file of a commit, by path."""
    entries = (line.split("\t", 1) for line in git("ls-tree", "-rz", commit).split("\0") if line)
    return {path: about.split()[2] for about, path in entries}


def read_blobs(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The texts of some files, by the hashes that git has for them."""
    remaining = iter(names)
    while part := list(islice(remaining, BATCH)):
        command = ["git", "cat-file", "--batch"]
        done = subprocess.run(
            command, input="\n".join(part).encode(), stdout=subprocess.PIPE, check=True
        ).stdout
        for name in part:
            header, _, rest = done.partition(b"\n")
            size = int(header.split()[2])
            yield name, rest[:size].decode(errors="replace")
            done = rest[size + 1 :]


def paths_of_objects() -> dict[str, str]:
    """The path of each file in any branch, tag or entry of the reflog, by its hash."""
    lines = git("rev-list", "--objects", "--all", "--reflog").splitlines()
    return {name: path for name, _, path in (line.partition(" ") for line in lines)}


def commits_with(name: str) -> list[str]:
    """The commits, in short, that add or remove a file with this hash."""
    return git("log", "--all", "--format=%h", f"--find-object={name}").split()


def remove_branch(branch: str, remote: str | None) -> None:
    """Remove a branch from this clone, and from a remote if one is given."""
    if commit_at(local_ref(branch)):
        git("update-ref", "-d", local_ref(branch))
    if remote is not None and commit_at(remote_ref(remote, branch)):
        git("push", "--quiet", remote, "--delete", branch)
