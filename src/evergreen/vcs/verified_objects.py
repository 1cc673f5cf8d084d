"""The objects of DVC's cache, fetched from the remote where they are missing, all verified.

Git is trusted, the DVC remote is not. DVC does not compare what it fetches with its hash. Its
setting ``verify`` covers files, but not the listings of folders, whose names may lead out of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from evergreen.core.wording import plural
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.commit_data import is_superseded, read_commits
from evergreen.vcs.dvc_internals import NO_REMOTE, OpenRepository, listed_files, md5


class NotAvailableError(DataError):
    """An object is neither in DVC's cache nor on the remote."""


class VerifiedObjects:
    """Objects whose content was compared with their hash.

    Each is compared once: a file of this clone keeps size, time and inode of those that were.

    Parameters
    ----------
    repo
        The repository, whose default remote is used.
    fetch
        Whether to fetch what the cache lacks; otherwise it is left out.
    commit
        The commit that names the objects, for messages; by default the working folder's files.
    """

    def __init__(self, repo: OpenRepository, *, fetch: bool, commit: str | None = None) -> None:
        self._repo = repo
        self._fetch = fetch
        self._commit = commit
        self._of = f" of commit {commit[:7]}" if commit else ""
        self._verified = _read()

    def files(self, outs: Mapping[str, str], *, below: Path = Path()) -> dict[str, str]:
        """Verify outputs with all of their files.

        Parameters
        ----------
        outs
            The hash that git names for each file or folder, by path.
        below
            Verify the files of this folder, or this file alone.

        Returns
        -------
        dict
            The hash of each file by path.

        Raises
        ------
        DataError
            If an object differs from its hash, or is neither in the cache nor on the remote.
        """
        listings = {path: md5_hex for path, md5_hex in outs.items() if md5_hex.endswith(".dir")}
        self.verify(listings)
        found = {path: md5_hex for path, md5_hex in outs.items() if path not in listings}
        for path, md5_hex in listings.items():
            with suppress(FileNotFoundError):
                listed = listed_files(self.path(md5_hex))
                found |= {f"{path}/{name}": of_file for name, of_file in listed.items()}
        found = {path: h for path, h in found.items() if Path(path).is_relative_to(below)}
        self.verify(found)
        return found

    def path(self, md5_hex: str) -> Path:
        """The file of an object in the cache."""
        return self._repo.cache_path(md5_hex)

    def verify(self, objects: Mapping[str, str]) -> None:
        """Verify objects, given by path and hash.

        Raises
        ------
        DataError
            As `files`. Objects of the remote that differ don't stay in the cache.
        """
        missing = {h: p for p, h in objects.items() if not self.path(h).is_file()}
        known, error = dict(self._verified), None
        if missing and self._fetch:
            error = self._repo.fetch(missing)
        altered = {path: h for path, h in objects.items() if self._is_altered(h)}
        from_remote = {path: h for path, h in altered.items() if h in missing}
        for md5_hex in from_remote.values():
            self.path(md5_hex).unlink(missing_ok=True)
        if self._verified != known:
            files.write_json(self._verified, paths.VERIFIED, shared=True)
        if from_remote:
            raise self._altered_on_remote(from_remote)
        for path, md5_hex in altered.items():
            raise self.damaged(path, md5_hex)
        lost = [path for md5_hex, path in missing.items() if not self.path(md5_hex).is_file()]
        if lost and self._fetch:
            raise self._lost(lost, error)

    def _is_altered(self, md5_hex: str) -> bool:
        path = self.path(md5_hex)
        try:
            state = path.stat()
        except FileNotFoundError:
            return False
        identity = [state.st_size, state.st_mtime_ns, state.st_ino]
        if self._verified.get(md5_hex) != identity:
            if md5(path) != md5_hex.removesuffix(".dir"):
                return True
            self._verified[md5_hex] = identity
        return False

    def _altered_on_remote(self, altered: Mapping[str, str]) -> DataError:
        path, md5_hex = min(altered.items())
        others = f", and {plural(len(altered) - 1, 'other')}" if len(altered) > 1 else ""
        place = self._repo.remote_path(md5_hex)
        return DataError(
            f"{path}{self._of} is altered on the DVC remote: {place} does not match its hash"
            f"{others}; it is not used",
            f"remove {place} and run `dvc push` in a clone that has checked out the run; then "
            "run the same command again here",
        )

    def damaged(self, path: str, md5_hex: str) -> DataError:
        """The error for a file whose object in the cache differs from its hash."""
        cached, again = self.path(md5_hex), "then run the same command again"
        anew = f"rm -rf {cached} {path} && evergreen pull, {again}"
        if self._of:
            fix = f"rm -f {cached}, {again}: missing objects are fetched from the DVC remote"
        elif md5_hex.endswith(".dir"):
            fix = (
                f"if {path} was made here: rm -f {cached} && dvc commit --force; otherwise: {anew}"
            )
        elif Path(path).is_file() and md5(Path(path)) == md5_hex:
            fix = f"rm -f {cached} && dvc commit --force, {again}"
        else:
            fix = anew
        return DataError(f"{path}{self._of} is damaged: {cached} does not match its hash", fix)

    def _lost(self, lost: list[str], error: str | None) -> NotAvailableError:
        others = f" and {plural(len(lost) - 1, 'other file')}" if len(lost) > 1 else ""
        if error in (None, NO_REMOTE) and self._commit and is_superseded(self._commit):
            day = read_commits([self._commit])[self._commit].as_of
            return NotAvailableError(
                f"the run of {day} was pruned, or never pushed: {lost[0]}{others}{self._of} is "
                "neither in DVC's cache nor on the DVC remote",
                "choose a later run: evergreen history",
            )
        return NotAvailableError(
            f"{lost[0]}{others}{self._of}: neither in DVC's cache nor on the DVC remote"
            + (f" ({error})" if error else ""),
            "check the remote with `dvc remote list`, and run `evergreen finish --push` where the "
            "run was made",
        )


def _read() -> dict[str, list[int]]:
    """What was verified before; nothing, if a kill or another program has damaged the file."""
    try:
        verified = json.loads(paths.VERIFIED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return verified if isinstance(verified, dict) else {}
