"""A machine that serves needs nothing of what training needs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]["optional-dependencies"]


def modules(*extras):
    names = [name for extra in extras for name in EXTRAS[extra]]
    return {re.match(r"[a-z0-9-]+", name)[0].replace("-", "_") for name in names}


FOR_TRAINING = modules("train", "demo", "postgresql", "s3") | {"dvc_data", "git", "pygit2"}
FOR_SERVING = modules("serve")
PREDICT = """
import pandas as pd
import evergreen

release = evergreen.load_release()
rows = [{"client_id": "17", "timestamp": "2024-03-01", "amount": 12.5, "text": "milk"}]
predictions = release.predict(pd.DataFrame(rows), "2024-04-01")
assert set(release.targets) == {"purchase", "churn", "clv"}
assert predictions.notna().all(axis=None)
"""
APPLICATION = """
from evergreen.serving.http.app import create_app
from evergreen.serving.http.release_watcher import ReleaseWatcher
from evergreen.serving.http.score_cache import ScoreCache

watcher, cache = ReleaseWatcher(), ScoreCache()
cache.refresh(watcher.release)
assert cache.problem is None, cache.problem
create_app(watcher, cache)
"""
COMMAND = """
import sys
from evergreen.cli import main

sys.argv[1:] = {arguments}
main()
"""


def run_without(modules, code):
    block = f"import sys; sys.modules |= dict.fromkeys({sorted(modules)})\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", block + code],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("extras", "code"),
    [
        ("", PREDICT),
        ("", COMMAND.format(arguments=["score", "--as-of", "2024-04-01"])),
        ("", COMMAND.format(arguments=["champion", "clv"])),
        ("", COMMAND.format(arguments=["simulate", "--out", "shop", "--days", "90"])),
        ("serve", APPLICATION),
        ("serve", COMMAND.format(arguments=["serve", "--help"])),
    ],
    ids=["predict", "score", "champion", "simulate", "application", "serve"],
)
def test_what_serves_runs_without_the_extras_of_training(extras, code, published):
    process = run_without(
        FOR_TRAINING - FOR_SERVING if extras else FOR_TRAINING | FOR_SERVING, code
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (["cycle", "--as-of", "2024-04-01"], "evergreen cycle needs the 'train' extra"),
        (["serve"], "evergreen serve needs the 'serve' extra"),
        (
            ["score", "--as-of", "2024-04-01", "--to-sql", "URL:scores"],
            "evergreen score --to-sql needs the 'postgresql' extra",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_names_the_extra_that_is_not_installed(arguments, needs, published):
    process = run_without(FOR_TRAINING | FOR_SERVING, COMMAND.format(arguments=arguments))
    extra = re.search(r"'(\w+)'", needs)[1]
    assert process.returncode == 1
    assert process.stderr == f"error: {needs}\nNext: pip install 'evergreen[{extra}]'\n"
