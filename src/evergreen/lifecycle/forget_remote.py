"""Remove the data of forgotten clients from the DVC remote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError
from evergreen.history import forget_records
from evergreen.lifecycle.push import push
from evergreen.settings import paths
from evergreen.vcs import remote
from evergreen.vcs.commands import CommandError
from evergreen.vcs.commit_data import data_commits, read_commits
from evergreen.vcs.dvc_internals import OpenRepository, locked_md5s, open_repository, pinned_md5
from evergreen.vcs.git import commit_at, files_at, git, remote_name, remote_ref, show
from evergreen.vcs.listings import Listings
from evergreen.vcs.tracked_paths import PINS, ROLLBACK_PIN


def clear_remote() -> Iterator[str]:
    """Push what is recorded, then remove the objects of all forget records from the remote.

    Yields
    ------
    str
        What was pushed, removed and kept, a line each.

    Raises
    ------
    EvergreenError
        If no remote is configured, a branch of the git upstream is not fetched, or one that is
        names some of the objects; nothing is removed then.
    """
    records = forget_records.read_all()
    objects = {md5_hex for record in records for md5_hex in record.objects}
    upstream = remote_name()
    if upstream is not None:
        check_fetched(upstream, "the objects")
        yield from push()
        _check_unused(upstream, objects)
    else:
        yield remote.push_data()
    with open_repository() as repo:
        name, _ = repo.default_remote()
        there = repo.kept_on_remote(objects)
        repo.remove_from_remote(sorted(there))
        unread = unsearched(repo)
    yield f"removed {plural(len(there), 'object')} of forgotten clients from DVC remote {name}"
    yield f"kept on {name}: what holds none of their rows, among it models trained with them:"
    yield from (f"  {version}" for version in sorted(_trained(records)))
    yield from [unread] if unread else []
    yield "a bucket that keeps old versions of objects has to expire them itself"


def unsearched(repo: OpenRepository) -> str | None:
    """A line about data of older runs that the remote alone has, and that were not searched.

    DVC's cache lacks them in a fresh clone, and after `evergreen prune`.
    """
    commits = read_commits(data_commits()).values()
    named = {h for data in commits for path, h in data.md5s.items() if path.startswith("data/")}
    forgotten = {md5_hex for record in forget_records.read_all() for md5_hex in record.objects}
    objects = Listings(repo, readable=True).expand(named - forgotten, fetch=True)
    files = (h for h in objects - forgotten if not h.endswith(".dir"))
    there = repo.remote_sizes(h for h in files if not repo.cache_path(h).is_file())
    if not there:
        return None
    return (
        f"{plural(len(there), 'object')} of older runs on the DVC remote alone not searched: "
        "evergreen prune --keep-days N --remote removes them; or dvc fetch --all-commits, then "
        "forget again"
    )


def _trained(records: list[forget_records.ForgetRecord]) -> set[str]:
    return {version for record in records for version in record.models.values()}


def check_fetched(upstream: str, need: str) -> None:
    """Refuse to remove what commits may need that others have pushed and that are not here.

    Parameters
    ----------
    upstream
        The git remote.
    need
        What they may need, for the message.

    Raises
    ------
    EvergreenError
        If branches or tags are not fetched, or the remote can't be reached.
    """
    try:
        lines = git("ls-remote", "--heads", "--tags", "--refs", upstream).splitlines()
    except CommandError as error:
        raise EvergreenError(
            f"the branches of {upstream} can't be compared with those here, which may need {need}: "
            f"{error.message}; nothing was removed",
            "git remote --verbose, and fix the address or the connection; then the same command "
            "again",
        ) from None
    refs = {ref: at for at, ref in map(str.split, lines)}
    unknown = []
    for ref, at in refs.items():
        kind, name = ref.removeprefix("refs/").split("/", 1)
        if commit_at(remote_ref(upstream, name) if kind == "heads" else ref) != at:
            unknown.append(name)
    if unknown:
        raise EvergreenError(
            f"{upstream} has commits that are not fetched here and may need {need}: "
            f"{', '.join(unknown)}; nothing was removed",
            f"git fetch --prune --tags {upstream} '+refs/heads/*:refs/remotes/{upstream}/*' && "
            "evergreen pull; then the same command again",
        )


def _check_unused(upstream: str, objects: set[str]) -> None:
    refs = git("for-each-ref", "--format=%(refname)", f"refs/remotes/{upstream}").split()
    using = [ref for ref in refs if objects & _named_at(ref)]
    if using:
        names = [ref.removeprefix(f"refs/remotes/{upstream}/") for ref in using]
        raise EvergreenError(
            f"branches of {upstream} name data of forgotten clients: {', '.join(names)}; nothing "
            "was removed",
            f"git push {upstream} --delete {' '.join(names)}, or bring them up to date with this "
            "branch; then the same command again",
        )


def _named_at(commit: str) -> set[str]:
    """The hashes that ``dvc.lock`` and the ``.dvc`` files of a commit name."""
    lock = str(paths.DVC_LOCK)
    present = files_at(commit, lock, *PINS, ROLLBACK_PIN)
    pinned = {pinned_md5(show(commit, name)) for name in present if Path(name).suffix == ".dvc"}
    return pinned | (set(locked_md5s(show(commit, lock)).values()) if lock in present else set())
