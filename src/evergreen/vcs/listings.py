"""The listings of folders: the objects by which DVC knows the files of a folder."""

from __future__ import annotations

from collections.abc import Collection

from evergreen.vcs.dvc_internals import OpenRepository, listed_files, md5, parse_listing


class Listings:
    """The files of folders, from the cache or else from the remote; none is kept."""

    def __init__(self, repo: OpenRepository, *, readable: bool) -> None:
        self._repo = repo
        self._readable = readable
        self._files: dict[str, set[str]] = {}

    def expand(self, objects: Collection[str], *, fetch: bool) -> set[str]:
        """Objects, with the files of those that list a folder."""
        self.load(objects, fetch=fetch)
        return set(objects).union(*(self.files(md5_hex) for md5_hex in objects))

    def load(self, objects: Collection[str], *, fetch: bool) -> None:
        """Read the listings among some objects."""
        unread = {h for h in objects if h.endswith(".dir") and h not in self._files}
        for md5_hex in unread:
            path = self._repo.cache_path(md5_hex)
            if path.is_file() and f"{md5(path)}.dir" == md5_hex:
                self._files[md5_hex] = set(listed_files(path).values())
        if missing := unread - self._files.keys() if fetch and self._readable else set():
            for md5_hex, content in self._repo.remote_listings(sorted(missing)):
                self._files[md5_hex] = set(parse_listing(content).values())

    def files(self, md5_hex: str) -> set[str]:
        """The files of a folder; none if its listing is nowhere."""
        return self._files.get(md5_hex, set())

    def lack(self, named: dict[str, str]) -> list[str]:
        """The folders whose listing is nowhere."""
        return [p for p, h in named.items() if h.endswith(".dir") and h not in self._files]
