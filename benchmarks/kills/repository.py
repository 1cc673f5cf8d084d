"""The repository of the kill campaign: a small simulated retailer with an upstream and a remote."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from evergreen.settings.editing import overlay

ROOT = Path(__file__).resolve().parents[2]
FIRST, DAY, NEXT = "2017-07-01", "2017-07-02", "2017-07-03"
SETTINGS = {
    "as_of": FIRST,
    "full_retrain": {"as_of": FIRST},
    "compute": {"threads": 1},
    "source": {
        "demo": "simulated",
        "simulation": {
            "clients": 300,
            "days": 200,
            "newcomer_days": 120,
            "late_share": 0.05,
            "undone_share": 0.05,
        },
    },
    "features": {"text": {"max_terms": 50, "components": 4}},
    "estimators": {"lightgbm": {"rounds": 20, "min_child_samples": 20}},
    "incremental": {"min_new_labels": 10},
    "gate": {
        "alpha_full": 0.45,
        "alpha_incremental": 0.3,
        "min_rows": 50,
        "min_clients": 20,
        "min_minority": 5,
    },
}
"""A run takes seconds, and most runs promote something."""


def variables(**more: str) -> dict[str, str]:
    """The environment of a command: this project's code, no bytecode files, a key, wide output."""
    programs = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DVC_NO_ANALYTICS": "1",
        "COLUMNS": "200",
        "EVERGREEN_FORGET_KEY": "kills" * 8,
        **more,
    }


def run(*command: str, cwd: Path) -> str:
    """Run a command that has to succeed; return its output."""
    done = subprocess.run(
        command, cwd=cwd, env=variables(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout[-3000:]} {done.stderr[-3000:]}")
    return done.stdout


def _begin(folder: Path) -> None:
    """A repository before its first row, with the code of this one."""
    repository = folder / "repository"
    repository.mkdir(parents=True)
    run(
        "git",
        "clone",
        "--quiet",
        "--no-hardlinks",
        "--depth=1",
        f"file://{ROOT}",
        ".",
        cwd=repository,
    )
    shutil.rmtree(repository / ".git")
    for name in ("dvc.lock", "history", "reports"):
        path = repository / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for pin in (*repository.glob("data/*.dvc"), *repository.glob("models/*.dvc")):
        pin.unlink()
    params = repository / "params.yaml"
    params.write_text(overlay(params.read_text("utf-8"), SETTINGS), encoding="utf-8")
    run("git", "init", "--quiet", "--initial-branch=main", cwd=repository)
    run("git", "config", "user.name", "kills", cwd=repository)
    run("git", "config", "user.email", "kills@localhost", cwd=repository)
    run("dvc", "remote", "add", "--quiet", "--default", "store", "../store", cwd=repository)
    run("git", "add", "--all", cwd=repository)
    run("git", "commit", "--quiet", "--message", "Start", cwd=repository)
    run(
        "git", "init", "--quiet", "--bare", "--initial-branch=main", "../origin.git", cwd=repository
    )
    run("git", "remote", "add", "origin", "../origin.git", cwd=repository)
    run("git", "push", "--quiet", "--set-upstream", "origin", "main", cwd=repository)


def _evergreen(*steps: str) -> Callable[[Path], None]:
    """A state that some command lines make of the one before."""

    def go(folder: Path) -> None:
        for step in steps:
            run("bash", "-c", step, cwd=folder / "repository")

    return go


def _behind(folder: Path) -> None:
    """Another clone has made and pushed the next run."""
    other = folder / "other"
    run("git", "clone", "--quiet", str(folder / "origin.git"), str(other), cwd=folder)
    run("git", "config", "user.name", "other", cwd=other)
    run("git", "config", "user.email", "other@localhost", cwd=other)
    run("evergreen", "pull", cwd=other)
    run("evergreen", "cycle", "--as-of", NEXT, "--push", cwd=other)
    shutil.rmtree(other)


def _noted(folder: Path) -> None:
    """Another clone has pushed a commit that belongs to no run; this one has one of its own."""
    other, repository = folder / "other", folder / "repository"
    run("git", "clone", "--quiet", str(folder / "origin.git"), str(other), cwd=folder)
    (other / "NOTES.md").write_text("# Notes\n")
    (other / "README.md").unlink()
    for place, name in ((other, "other"), (repository, "kills")):
        (place / f"docs/{name}.md").write_text(f"{name}\n")
        run("git", "add", "--all", cwd=place)
        author = ("-c", f"user.name={name}", "-c", "user.email=kills@localhost")
        run("git", *author, "commit", "--quiet", "--message", f"Notes of {name}", cwd=place)
    run("git", "push", "--quiet", cwd=other)
    shutil.rmtree(other)


REVIEW = (
    "sed -i 's/  mode: auto  /  mode: review/' params.yaml && git commit -qam 'Review promotions'"
)
STATES: dict[str, tuple[str | None, Callable[[Path], None]]] = {
    "new": (None, _begin),
    "noted": ("new", _noted),
    "ingested": ("new", _evergreen("evergreen ingest")),
    "recorded": (
        "ingested",
        _evergreen("evergreen pin", "dvc repro", "evergreen finish --push"),
    ),
    "reproduced": ("recorded", _evergreen(f"evergreen pin --as-of {DAY}", "dvc repro")),
    "unpushed": ("reproduced", _evergreen("evergreen finish")),
    "pushed": ("unpushed", _evergreen("evergreen finish --push")),
    "long": ("pushed", _evergreen(f"evergreen cycle --as-of {NEXT} --push")),
    "behind": ("pushed", _behind),
    "diverged": (
        "behind",
        _evergreen(f"evergreen cycle --as-of {NEXT}", "evergreen hold clv --reason ours"),
    ),
    "waiting": (
        "pushed",
        _evergreen(REVIEW, f"evergreen cycle --as-of {NEXT} --mode full", "git push -q"),
    ),
}
"""Each state: the one that it starts from, and what it adds."""


def state(name: str, into: Path) -> Path:
    """Make a state below `into`, or return the one made before."""
    folder = into / name
    if folder.is_dir():
        return folder
    into.mkdir(parents=True, exist_ok=True)
    before, add = STATES[name]
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        made = Path(scratch) / name
        if before is not None:
            copy(state(before, into), made)
        add(made)
        made.rename(folder)
    return folder


def copy(folder: Path, into: Path) -> None:
    """Copy a state with its upstream and its remote."""
    shutil.rmtree(into, ignore_errors=True)
    subprocess.run(["cp", "-a", str(folder), str(into)], check=True)


if __name__ == "__main__":
    parent = Path(sys.argv[1])
    parent.mkdir(parents=True, exist_ok=True)
    for each in STATES:
        state(each, parent)
        print(each, flush=True)
