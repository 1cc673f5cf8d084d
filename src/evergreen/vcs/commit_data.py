"""What the commits of a repository name of DVC's data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

import yaml

from evergreen.settings import paths
from evergreen.settings.dates import parse_date
from evergreen.vcs.dvc_files import named_md5s
from evergreen.vcs.git import blobs_at, git, read_blobs

OF_DATA = (str(paths.DVC_LOCK), "*.dvc")
"""What names data, as git pathspecs."""


class CommitData(NamedTuple):
    """What a commit names of DVC's data.

    Attributes
    ----------
    as_of
        The date in its settings, which is that of its last run; None without settings.
    md5s
        The hash of each file and folder, by path.
    """

    as_of: date | None
    md5s: dict[str, str]


def data_commits() -> list[str]:
    """Every commit of any branch, tag or stash that changes what is named of DVC's data."""
    return git("log", "--all", "--full-history", "--format=%H", "--", *OF_DATA).split()


def read_commits(
    commits: Collection[str], tell: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[str, CommitData]:
    """Read what some commits name.

    Parameters
    ----------
    commits
        Their hashes.
    tell
        Called with the number of files that were read, and their total.
    """
    trees = {commit: dict(_files_that_name(commit)) for commit in commits}
    files = {blob: path for tree in trees.values() for path, blob in tree.items()}
    dates: dict[str, date | None] = {}
    md5s: dict[str, dict[str, str]] = {}
    for number, (blob, text) in enumerate(read_blobs(files)):
        tell(number, len(files))
        if files[blob] == str(paths.PARAMS):
            dates[blob] = _as_of(text)
        else:
            md5s[blob] = _md5s(files[blob], text)
    return {
        commit: CommitData(
            dates.get(tree.get(str(paths.PARAMS), "")),
            {path: h for blob in tree.values() for path, h in md5s.get(blob, {}).items()},
        )
        for commit, tree in trees.items()
    }


def is_superseded(commit: str) -> bool:
    """Whether later data follow a commit on this branch, so that its own may have been pruned."""
    return git("merge-base", commit, "HEAD").strip() == commit and bool(
        git("rev-list", "--max-count=1", f"{commit}..HEAD", "--", *OF_DATA)
    )


def _files_that_name(commit: str) -> Iterator[tuple[str, str]]:
    for path, blob in blobs_at(commit).items():
        if path == str(paths.PARAMS) or Path(path).name == "dvc.lock" or path.endswith(".dvc"):
            yield path, blob


def _as_of(text: str) -> date | None:
    with suppress(yaml.YAMLError, KeyError, TypeError, ValueError):
        return parse_date(str(yaml.load(text, Loader=yaml.CSafeLoader)["as_of"]))
    return None


def _md5s(name: str, text: str) -> dict[str, str]:
    """What a file names; nothing if it is damaged, so that DVC can't read it either."""
    with suppress(yaml.YAMLError, AttributeError, TypeError):
        return named_md5s(name, text)
    return {}
