"""Forget clients: remove them from everything that this repository keeps, and keep them out.

A record without their ids is written first, and committed last. Whatever stops the command in
between, the next one completes it from the record and the key.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Iterator
from datetime import date, timedelta
from pathlib import Path

from evergreen.core.events.folds import held_out_clients
from evergreen.core.wording import plural
from evergreen.errors import DataError, EvergreenError
from evergreen.history import forget_records, run_records
from evergreen.history.experiments import check_no_experiment
from evergreen.history.forget_records import ForgetRecord
from evergreen.ingestion import tombstones
from evergreen.lifecycle import review
from evergreen.lifecycle.finish import SKIP_CI
from evergreen.lifecycle.publish import served_models
from evergreen.report.page import write_report
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Settings
from evergreen.store import client_rows, client_search, files, tables
from evergreen.vcs.dvc import dvc, outdated
from evergreen.vcs.dvc_internals import (
    listed_files,
    open_repository,
    pin_file,
    remote_names,
    write_data_through,
)
from evergreen.vcs.git import changes, commit
from evergreen.vcs.tracked_paths import INPUTS, RECORDED

LOGS = Path("logs")
REMOTE = "evergreen forget --remote"
RUNS_SHOWN = 3


def forget(
    clients: Collection[str],
    reason: str,
    *,
    absent: bool = False,
    remote: bool = False,
    dry_run: bool = False,
) -> Iterator[str]:
    """Remove all rows of some clients here, and record it without their ids.

    No verdict is redone: records, decisions and the served release stay. Of the data only the rows
    of the clients go, so the last run stays complete, with other digests in `dvc.lock`.

    Parameters
    ----------
    clients
        Their ids.
    reason
        For the history.
    absent
        Whether to record clients without any row, too, so that none comes back.
    remote
        Whether `evergreen.lifecycle.forget_remote.clear_remote` follows.
    dry_run
        Whether to say what would be removed, and change nothing.

    Yields
    ------
    str
        What was removed, what is left, and what to do about it, a line each.

    Raises
    ------
    DataError
        If an id is not in the data, or the key of earlier records is not here.
    EvergreenError
        If a run is not finished or waits for review, or files differ from what is recorded.
    """
    review.check_branch()
    _check_reason(reason, clients)
    forgotten = tombstones.read_tombstones()
    new = [client for client in dict.fromkeys(clients) if not forgotten.hold(client)]
    settings = load_settings()
    if not new:
        yield f"{plural(len(set(clients)), 'client')} already forgotten"
        if not dry_run:
            yield from _sweep(forgotten)
    else:
        _check_ready(settings)
        found = tombstones.read_key()
        key = found or tombstones.new_key()
        record = _plan(settings, new, reason, key, absent=absent)
        if dry_run:
            yield from _summary(record)
            yield "dry run: nothing was changed"
            return
        if found is None:
            tombstones.keep_key(key)
            yield from _about_key()
        forget_records.write(record)
        yield from complete(record)
    if not dry_run:
        yield from _clean_logs(clients)
        yield from _left(remote=remote)


def complete(record: ForgetRecord) -> Iterator[str]:
    """Carry out what a record says, and commit it; a second call does the rest of a killed one.

    Yields
    ------
    str
        What was done, a line each.
    """
    forgotten = tombstones.read_tombstones()
    for path in client_rows.table_files():
        client_rows.write_without(path, forgotten.hold)
    names: tuple[str, ...] = (str(record.path),)
    if paths.DVC_LOCK.is_file():
        dvc("commit", "--force")
        last = run_records.path_of(record.after)
        content = files.read_json(last, next_step=f"git restore {last}")
        content["lock"] = files.sha256(paths.DVC_LOCK)
        files.write_json(content, last, sort_keys=False)
        yield from _write_report_again()
        names = RECORDED
    _remove_local(record.objects)
    write_data_through()
    summary = list(_summary(record))
    commit("\n".join([_title(record), "", *summary, "", SKIP_CI]), *names)
    yield from summary
    yield f"recorded in {record.path} and committed"


def _write_report_again() -> Iterator[str]:
    """The report names the digest of `dvc.lock`; that of an earlier version can't be made again."""
    try:
        write_report(load_settings(), paths.PAGE, paths.PAGE_IN_MARKDOWN)
    except EvergreenError as error:
        yield f"{paths.PAGE_IN_MARKDOWN} stays as it is: {error.message}"


def _remove_local(objects: Collection[str]) -> int:
    """Remove objects from DVC's cache, after everything that is computed again when it is needed.

    Returns
    -------
    int
        How many of the objects were there.
    """
    with open_repository() as repo:
        cached = [path for path in map(repo.cache_path, objects) if path.is_file()]
    # What is bad may be the id itself, so bad rows can't be told by client; they are listed again.
    computed = (paths.CACHE, paths.HISTORY_PARTS, paths.REPLAYS)
    for path in (*computed, paths.WORK, *paths.QUARANTINE.glob("*.csv")):
        files.remove(path)
    for path in cached:
        path.unlink(missing_ok=True)
    return len(cached)


def remove_forgotten() -> Iterator[str]:
    """Remove what other clones have forgotten, as recorded; the key is not needed.

    Yields
    ------
    str
        A line, if anything was here.
    """
    objects = {md5_hex for record in forget_records.read_all() for md5_hex in record.objects}
    with open_repository() as repo:
        cached = [md5_hex for md5_hex in objects if repo.is_cached(md5_hex)]
    if cached:
        removed = _remove_local(cached)
        yield f"{plural(removed, 'object')} of forgotten clients removed from DVC's cache"


def _sweep(forgotten: tombstones.Tombstones) -> Iterator[str]:
    """Remove what this clone holds of clients that were forgotten, here or in another one."""
    objects = _objects_with(forgotten.hold)
    with open_repository() as repo:
        if objects & set(repo.tracked().values()):
            raise EvergreenError(
                "the checked-out commit names data of forgotten clients, from before they were",
                "git switch - (or evergreen pull), then the same command again",
            )
    removed = _remove_local(objects)
    yield f"objects removed from DVC's cache that still held forgotten clients: {removed:,}"


def _check_reason(reason: str, clients: Collection[str]) -> None:
    if not reason.strip() or any(client_search.mentions(reason, client) for client in clients):
        raise EvergreenError(
            "the reason is committed, so it has to be there and must not hold an id",
            'evergreen forget ID --reason "erasure request of 2024-04-01"',
        )


def _check_ready(settings: Settings) -> None:
    """Refuse to rewrite data of a run that is not recorded."""
    last = run_records.last()
    started = paths.DVC_LOCK.exists() or any(pin_file(path).exists() for path in INPUTS)
    if (last is None and started) or (last is not None and last.as_of != settings.as_of):
        raise run_records.unfinished(settings.as_of)
    if pending := review.pending_runs():
        raise EvergreenError(
            f"a run has data of its own: {pending[0]}", "approve or reject it, then forget again"
        )
    if changed := changes(*RECORDED, untracked=False):
        raise EvergreenError(
            f"files of the last run were changed:\n{changed.rstrip()}",
            "git commit or git restore them, and dvc checkout; then the same command again",
        )
    if last is None:
        return
    check_no_experiment(last.as_of)
    if stale := outdated():
        raise EvergreenError(
            f"the workspace differs from the last run: {', '.join(stale)}",
            "evergreen cycle, to use and record it; or dvc checkout --force, to drop it",
        )


def _plan(
    settings: Settings, clients: list[str], reason: str, key: str, *, absent: bool
) -> ForgetRecord:
    """Find everything that holds the clients, and write it down; nothing is changed."""
    found: set[str] = set()

    def is_client(name: str) -> bool:
        if name in clients:
            found.add(name)
        return name in clients

    rows: dict[str, int] = {}
    for path in client_rows.table_files():
        if count := client_rows.count_rows(path, is_client):
            rows[str(path.parent)] = rows.get(str(path.parent), 0) + count
    missing = [repr(client) for client in clients if client not in found]
    if missing and not absent:
        raise DataError(
            f"no row of {', '.join(missing)} is here; nothing was changed",
            f"check the ids: they have to be written as in {paths.TRANSACTIONS}; or add --absent, "
            "to have them left out if they ever come",
        )
    held_out = held_out_clients(clients, share=settings.holdout.share, salt=settings.holdout.salt)
    trained = {client for client, held in zip(clients, held_out, strict=True) if not held}
    first, first_trained = _first_day(set(clients)), _first_day(trained)
    last = run_records.last()
    after = last.as_of if last else settings.as_of
    schedule = timedelta(days=settings.schedule.full_after_days)
    return ForgetRecord(
        after=after,
        number=1 + sum(record.after == after for record in forget_records.read_all()),
        reason=reason,
        key=tombstones.fingerprint(key),
        clients=sorted(tombstones.keyed_hash(key, client) for client in clients),
        held_out=int(held_out.sum()),
        rows=rows,
        models={
            name: model.manifest.version
            for name, model in served_models().items()
            if first_trained and model.manifest.trained_through >= first_trained.isoformat()
        },
        next_full_retrain=settings.full_retrain.as_of + schedule,
        not_reproducible=[day for day in run_records.dates() if first and day > first],
        objects=sorted(_objects_with(is_client)),
    )


def _first_day(clients: Collection[str]) -> date | None:
    """The day on which the first row of some clients became known."""
    for day, path in tables.partitions(paths.TRANSACTIONS).items():
        if clients and client_rows.count_rows(path, clients.__contains__):
            return day
    return None


def _objects_with(is_client: Callable[[str], bool]) -> set[str]:
    """The objects in DVC's cache with rows of some clients, and the listings that name them."""
    with open_repository() as repo:
        cached = {md5_hex: repo.cache_path(md5_hex) for md5_hex in repo.cached_objects()}
    listings = {name: path for name, path in cached.items() if name.endswith(".dir")}
    objects = {
        name
        for name, path in cached.items()
        if name not in listings and client_rows.count_rows(path, is_client)
    }
    naming = {n for n, path in listings.items() if objects & set(listed_files(path).values())}
    return objects | naming


def _clean_logs(clients: Collection[str]) -> Iterator[str]:
    """Remove the lines of logs that name the clients; those of scheduled runs are in ``logs``."""
    for path in sorted(path for path in LOGS.rglob("*") if path.is_file()):
        packed = path.suffix == ".gz"
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        lines = content.splitlines(keepends=True)
        kept = [
            line
            for line in lines
            if not any(client_search.is_named_in(path.stem, line, client) for client in clients)
        ]
        if len(kept) < len(lines):
            content = b"".join(kept)
            with files.replacing(path) as unfinished:
                unfinished.write_bytes(gzip.compress(content, mtime=0) if packed else content)
            yield f"removed {plural(len(lines) - len(kept), 'line')} of {path}"


def _title(record: ForgetRecord) -> str:
    return f"Forget {plural(len(record.clients), 'client')}: {record.reason}"


def _summary(record: ForgetRecord) -> Iterator[str]:
    """What a record says, a line each; without ids."""
    yield f"rows removed: {sum(record.rows.values()):,}"
    yield from (f"  {count:,} in {folder}" for folder, count in record.rows.items())
    yield f"objects removed from DVC's cache: {len(record.objects):,}"
    if record.held_out:
        count = plural(record.held_out, "client")
        yield f"{count} held out from training: recorded verdicts counted them, and stay"
    if record.models:
        yield "served models that were trained with them, and may hold words of their texts:"
        yield from (f"  {name}: {version}" for name, version in record.models.items())
        yield f"  the next full retrain, due by {record.next_full_retrain}, trains without them;"
        yield "  where the gate keeps a model: evergreen pin --new-lineage replaces all models"
    if days := record.not_reproducible:
        shown = f"{days[0]} to {days[-1]}" if len(days) > RUNS_SHOWN else ", ".join(map(str, days))
        yield f"runs that can't be reproduced byte for byte any more: {shown}"


def _about_key() -> Iterator[str]:
    yield f"{tombstones.key_file()}: made the key that recognises forgotten clients"
    yield "  evergreen forget --show-key prints it; keep a copy where passwords are kept"
    yield f"  other clones and CI need it in {tombstones.KEY_VARIABLE} to ingest anything"


def _left(*, remote: bool) -> Iterator[str]:
    """What else may hold the clients, and what to do about it."""
    yield "the source is not changed: have the next export made without them"
    yield "  until then, ingestion leaves their rows out as forgotten"
    if remote_names() and not remote:
        yield f"the DVC remote still holds them; to remove them there: {REMOTE}"
    yield "to see what is left anywhere, in git's history too: evergreen forget --check ID"
