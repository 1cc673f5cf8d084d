"""Time `dvc repro` of the demo: the first run, and a run with nothing to do.

A run with nothing to do is compared with a pipeline of six stages that run `true`: a ratio above 1
is the cost of Evergreen's dependencies. The first run is shown next to one import of scikit-learn,
which five of its six processes need.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENV = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
REPEATS = 5


def timed(folder, *command):
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=ENV, check=True, capture_output=True)
    return time.perf_counter() - started


def quiet(folder, *command):
    subprocess.run(command, cwd=folder, env=ENV, check=True, capture_output=True)


def clone(folder):
    quiet(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    as_of = (folder / "params.yaml").read_text().split('as_of: "')[1].split('"')[0]
    quiet(folder, "evergreen", "ingest", "--demo", "complete-journey", "--through", as_of)
    for later in ("models/champion.dvc", "data/predictions.dvc"):
        (folder / later).unlink()  # a first run has no champion
    quiet(folder, "evergreen", "pin")


def empty_pipeline(folder):
    folder.mkdir()
    stages = "".join(f"  s{k}:\n    cmd: 'true'\n" for k in range(6))
    (folder / "dvc.yaml").write_text(f"stages:\n{stages}")
    quiet(folder, "git", "init", "--quiet")
    quiet(folder, "dvc", "init", "--quiet")
    quiet(folder, "dvc", "repro")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        demo, empty = Path(scratch) / "demo", Path(scratch) / "empty"
        clone(demo)
        imported = timed(ROOT, sys.executable, "-c", "import sklearn.ensemble, lightgbm")
        first = timed(demo, "dvc", "repro")
        empty_pipeline(empty)
        idle, six_true = [], []
        for _ in range(REPEATS):  # alternate, so that a noisy machine affects both alike
            idle.append(timed(demo, "dvc", "repro"))
            six_true.append(timed(empty, "dvc", "repro"))
        print(f"import of scikit-learn and lightgbm        {imported:6.2f} s")
        print(f"dvc repro of the demo from nothing         {first:6.2f} s")
        print(f"dvc repro with nothing to do               {min(idle):6.2f} s")
        print(f"dvc repro of six `true` stages             {min(six_true):6.2f} s")
        print(f"nothing to do, as a ratio to six `true`    {min(idle) / min(six_true):6.2f}")
        shutil.rmtree(demo)


if __name__ == "__main__":
    main()
