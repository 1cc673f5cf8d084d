"""What `evergreen prune` frees and what stays, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from evergreen.core.wording import plural
from evergreen.settings import paths

KINDS = {
    "data/raw": "raw data",
    "data/labels": "labels",
    "data/features": "features",
    "data/predictions": "predictions",
    "data/scored": "predictions",
    "data/shadows": "predictions",
    "models": "models",
    "reports": "reports",
}
"""What the paths of DVC's data hold; the first that contains a path counts."""
OTHER, UNNAMED = "other", "of no commit"
NAMES_SHOWN = 3

Objects = dict[str, int]
"""The bytes of objects by their hash."""


@dataclass
class Use:
    """What an object holds, and the first and last run that named it; None without."""

    kind: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Plan:
    """What is freed, and what stays.

    Attributes
    ----------
    kept_runs, all_runs
        The dates of recorded runs.
    pending
        The dates of runs that wait for review.
    refs
        Older branches, tags and stashes that keep their data, with the date of their last run.
    versions
        Models of older runs that kept ones name.
    incomplete
        Dates of kept runs that lack data, as after an earlier prune or a forget.
    kept, local, remote
        Objects by place: those that stay in the cache, those freed there and on the remote.
    only_here
        The objects of `local` that no remote has.
    uses
        What the freed objects are.
    run_cache, releases
        Further files and folders that are removed.
    """

    kept_runs: list[date]
    all_runs: list[date]
    pending: list[date]
    refs: dict[str, date | None]
    versions: list[str]
    incomplete: list[date]
    kept: Objects
    local: Objects
    remote: Objects
    only_here: Objects
    uses: dict[str, Use]
    run_cache: list[Path]
    releases: list[Path]
    remote_name: str | None

    @property
    def frees_anything(self) -> bool:
        """Whether there is anything to remove."""
        return any((self.local, self.remote, self.run_cache, self.releases))

    def lines(self) -> Iterator[str]:
        """What stays and why, and what is freed."""
        yield from self._kept()
        yield from self._table("DVC's cache", self.local)
        if self.only_here:
            count, size = plural(len(self.only_here), "file"), _size(self.only_here.values())
            yield f"  {count} of them ({size}) on no DVC remote: they can't be fetched again"
        elif self.local and not self.remote:
            yield f"  all of it is on DVC remote {self.remote_name}, and is fetched where needed"
        if self.remote:
            yield from self._table(f"DVC remote {self.remote_name}", self.remote)
            yield "  runs freed there can't be fetched again, in no clone"
        if self.run_cache:
            yield f"frees {plural(len(self.run_cache), 'entry', 'entries')} of DVC's run cache"
        if self.releases:
            yield f"frees {plural(len(self.releases), 'folder')} of releases in {paths.RELEASES}"
        if not self.frees_anything:
            yield "frees nothing"

    def _kept(self) -> Iterator[str]:
        size = _size(self.kept.values())
        yield (
            f"keeps {len(self.kept_runs)} of {plural(len(self.all_runs), 'run')}, "
            f"{_period(self.kept_runs)}: {plural(len(self.kept), 'file')} here, {size}"
        )
        yield "  with the working folder and what is served"
        for day in self.pending:
            yield f"  with the run of {day}, which waits for review"
        refs = [f"{n}, as of {day}" if day else n for n, day in sorted(self.refs.items())]
        yield from _listed("with older branches, tags or stashes", refs)
        yield from _listed("with models of older runs that later ones started from", self.versions)
        days = list(map(str, self.incomplete))
        yield from _listed("but runs that lack some of their data already", days)

    def _table(self, place: str, objects: Objects) -> Iterator[str]:
        if not objects:
            return
        yield f"frees in {place}: {plural(len(objects), 'file')}, {_size(objects.values())}"
        kinds: dict[str, list[str]] = {}
        for md5_hex in objects:
            kinds.setdefault(self.uses[md5_hex].kind, []).append(md5_hex)
        for kind in (*dict.fromkeys(KINDS.values()), OTHER, UNNAMED):
            if some := kinds.get(kind):
                uses = [self.uses[md5_hex] for md5_hex in some]
                days = [day for use in uses for day in (use.first, use.last) if day]
                size = _size(objects[md5_hex] for md5_hex in some)
                of = f"  runs {_period(days)}" if days else ""
                yield f"  {kind:12} {len(some):8,} {size:>10}{of}"


def kind_of(path: str) -> str:
    """What a path of DVC's data holds."""
    return next((kind for place, kind in KINDS.items() if Path(path).is_relative_to(place)), OTHER)


def _period(days: Iterable[date]) -> str:
    first, *_, last = sorted(days) * 2
    return f"as of {first}" if first == last else f"as of {first} to {last}"


def _listed(title: str, names: list[str]) -> Iterator[str]:
    """A title and the first few names, a line each; nothing without names."""
    if names:
        yield f"  {title}:"
        yield from (f"    {name}" for name in names[:NAMES_SHOWN])
    if (more := len(names) - NAMES_SHOWN) > 0:
        yield f"    and {more} more"


def total(objects: Objects) -> str:
    """How many objects, and their size."""
    return f"{plural(len(objects), 'file')}, {_size(objects.values())}"


def _size(sizes: Iterable[int]) -> str:
    return f"{sum(sizes) / 1e6:,.1f} MB"
