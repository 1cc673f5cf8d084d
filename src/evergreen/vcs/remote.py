"""The DVC remote: it gets the data of every run that was committed here, each object once."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from dvc.repo import Repo

from evergreen.core.wording import plural
from evergreen.errors import DataError, EvergreenError
from evergreen.settings import paths
from evergreen.vcs.commands import git
from evergreen.vcs.dvc_fetch import md5, object_path
from evergreen.vcs.tracked_paths import NAMES_DATA

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED = "the runs are recorded and served here, but not pushed"
AGAIN = "evergreen finish --push"


def push_data(tip: str = "HEAD") -> str:
    """Bring the data of all commits since the last push from here to the default remote.

    `dvc push` knows the working folder only, and `dvc push --all-commits` reads every commit of
    the history each time. So a git ref of this clone keeps how far its data has been pushed.

    Parameters
    ----------
    tip
        The last of these commits.

    Returns
    -------
    str
        How much was pushed, in words.

    Raises
    ------
    EvergreenError
        If no remote is configured, or it refuses; in the remote's own words.
    DataError
        If an object is damaged, or neither here nor there.
    """
    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # what it raises is told below
    with Repo() as repo:
        name, mark = _default_remote(repo)
        head, before = git("rev-parse", tip).strip(), _commit_at(mark)
        commits, partly = _unpushed(repo, head, before)
        objects = _used(repo, commits) - _used(repo, [before] if before and commits else [])
        try:
            _check_sound(repo, objects)
            with repo.lock:
                done = repo.cloud.push(objects, odb=_asked_for_each(repo) if before else None)
        except EvergreenError:
            raise
        except Exception as error:
            # every kind of remote has errors of its own
            raise _refused(name, str(error)) from error
    if done.failed:
        raise _refused(name, f"{len(done.failed)} of {len(objects)} objects could not be written")
    git("update-ref", mark, head)
    pushed = f"{plural(len(done.transferred), 'object')} of {plural(len(commits), 'commit')}"
    left_out = ", ".join(commit[:7] for commit in partly)
    return f"{pushed} pushed to DVC remote {name}" + (
        f"; left out, as not all of their data is here: {left_out}" if partly else ""
    )


def _default_remote(repo: Any) -> tuple[str, str]:  # noqa: ANN401 - dvc has no types
    """The name of the remote, and the git ref that says how far it has the data of this clone."""
    name = repo.config["core"].get("remote")
    if name not in repo.config["remote"]:
        raise EvergreenError(
            f"{RECORDED}: no default DVC remote is configured",
            "dvc remote add --default storage FOLDER (or s3://BUCKET/PATH) && git commit "
            f'--message "Name the DVC remote" .dvc/config && {AGAIN}',
        )
    settings = repr(sorted(repo.config["remote"][name].items()))
    place = hashlib.sha256(settings.encode()).hexdigest()[:8]
    return name, f"refs/evergreen/pushed/{name}-{place}"


def _commit_at(ref: str) -> str | None:
    return git("for-each-ref", "--format=%(objectname)", ref).strip() or None


def _unpushed(repo: Any, head: str, before: str | None) -> tuple[list[str], list[str]]:  # noqa: ANN401
    """Commits with data that no push from here has covered, and those whose data is partly here.

    Of a fresh clone that is only its own: a commit belongs to this clone if the scores of its run
    are in the cache, made here or pulled. Another's run may have scored the same; then some folder
    of it is not here, as where one was removed from the cache. The newest has to be whole.
    """
    since = [f"^{before}"] if before else []
    changed = ("--full-history", "--diff-filter=AM", "--format=%H")
    found = git("log", *changed, head, *since, "--", *NAMES_DATA).split()
    whole: list[str] = []
    partly: list[str] = []
    for commit in found:
        here = _folders_here(repo, commit)
        if here.get(str(paths.SCORED)):
            (whole if all(here.values()) or commit == found[0] else partly).append(commit)
    return whole, partly


def _folders_here(repo: Any, commit: str) -> dict[str, bool]:  # noqa: ANN401
    """Whether the cache has them: the folders that the stages of a commit read and wrote."""
    # The C loader of YAML: a history of years is read in seconds.
    stages = yaml.load(git("show", f"{commit}:dvc.lock"), Loader=yaml.CSafeLoader)["stages"]
    return {
        entry["path"]: repo.cache.local.exists(entry["md5"])
        for stage in stages.values()
        for entry in (*stage.get("deps", ()), *stage.get("outs", ()))
        if Path(entry["path"]).parts[0] in ("data", "models")
    }


def _used(repo: Any, commits: list[str]) -> set[Any]:  # noqa: ANN401
    """The hashes of all objects that some commits name; of none where there are none."""
    found: set[Any] = set()
    for _ in repo.brancher(revs=commits, workspace=False) if commits else ():
        # By force: DVC would ask at the terminal what to do about a folder whose listing is lost.
        for objects in repo.index.used_objs(push=True, force=True).values():
            found |= objects
        found |= {out.hash_info for out in repo.index.outs if out.use_cache and out.hash_info}
    return found


def _asked_for_each(repo: Any) -> Any:  # noqa: ANN401
    """The remote, asked for each of the few objects of a later push.

    DVC would list all that is there, or ask for every folder that was ever pushed: either takes
    longer from run to run.
    """
    there = repo.cloud.get_remote_odb(None, "push", hash_name="md5")
    there.tmp_dir = None  # no index of what is there
    there.fs.CAN_TRAVERSE = False
    return there


def _check_sound(repo: Any, objects: Iterable[Any]) -> None:  # noqa: ANN401
    """DVC would push a damaged object as it stands, and others would pull it unawares."""
    missing = []
    for found in sorted(objects, key=lambda one: str(one.value)):
        path = Path(repo.cache.local.oid_to_path(found.value))
        if not path.is_file():
            missing.append(found.value)
        elif md5(path) != found.value.removesuffix(".dir"):
            raise DataError(
                f"{RECORDED}: {object_path(found.value)} ({found.obj_name or 'a folder'}) does "
                "not hold what its name says",
                f"rm -f {object_path(found.value)} && dvc commit --force, which takes it from the "
                f"working folder; then {AGAIN}",
            )
    there = repo.cloud.get_remote_odb(None, "push", hash_name="md5")
    lost = sorted(set(missing) - set(there.oids_exist(missing))) if missing else []
    if lost:
        raise DataError(
            f"{RECORDED}: {len(lost)} objects are neither in DVC's cache nor on the remote, such "
            f"as {object_path(lost[0])}",
            f"dvc repro && dvc commit --force && {AGAIN}",
        )


def _refused(name: str, why: str) -> EvergreenError:
    return EvergreenError(
        f"{RECORDED}: the DVC remote {name!r} refused: {why}",
        f"mend that (dvc remote list; dvc remote modify {name} ...), then {AGAIN}",
    )
