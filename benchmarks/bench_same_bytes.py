"""Run the demo's second run under other conditions, and compare every byte of its outputs.

Each condition runs `dvc repro` without any cache in a copy of the repository before that run, in
which all models are retrained and updated, and compares `dvc.lock`. Where Debian's `qemu-user` is
installed, the stages with arithmetic also run on an emulated Haswell of 2013, one after another,
and their outputs are compared. qemu 7.2 sorts wrongly with AVX2 (`numpy.argsort`), so `featurize`
and `compare` do without it there. Conditions with other arithmetic are expected to differ in bytes,
but not in decisions; the largest relative difference of a metric is printed.

Usage: `python benchmarks/bench_same_bytes.py [CONDITION ...]`. Takes about ten minutes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from evergreen.settings.kernels import ABOVE_AVX2, level_of_x86
from evergreen.vcs.tracked_paths import INPUTS

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENV = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": "src"}
AS_OF = "2017-04-08"
SAME = {
    "again": {},
    "TZ": {"TZ": "Pacific/Auckland"},
    "PYTHONHASHSEED": {"PYTHONHASHSEED": "271828"},
    "OMP_NUM_THREADS": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "numpy without AVX-512": {"NPY_DISABLE_CPU_FEATURES": " ".join(ABOVE_AVX2)},
}
WITHOUT_AVX2 = {"NPY_DISABLE_CPU_FEATURES": "X86_V3"}
OTHER = {"numpy without AVX2": WITHOUT_AVX2}
if level_of_x86() == 4:
    OTHER["numpy with AVX-512"] = {"NPY_ENABLE_CPU_FEATURES": "X86_V3 X86_V4"}
EMULATED = "qemu-x86_64"
HASWELL = (EMULATED, "-cpu", "Haswell", sys.executable, "-m")
CRASHES = 5
"""How often the emulator, which is not good at threads, may crash in a stage."""
ARITHMETIC = {
    "featurize": WITHOUT_AVX2,
    "train_incremental": {},
    "train_full": {},
    "compare": WITHOUT_AVX2,
    "promote": {},
}


def run(folder, *command, attempts=1, **variables):
    """Run a command that is expected to succeed, once more after a crash."""
    for _ in range(attempts):
        done = subprocess.run(
            command, cwd=folder, env=ENV | variables, capture_output=True, text=True, check=False
        )
        if done.returncode >= 0:
            break
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def create(folder):
    """Record the first run in a clone, and pin the second one, which retrains all models."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    run(folder, "git", "config", "user.name", "bench")
    run(folder, "git", "config", "user.email", "bench@localhost")
    pins = [f"{path}.dvc" for path in INPUTS]
    run(folder, "git", "rm", "-rq", "--ignore-unmatch", "dvc.lock", "history", *pins)
    run(folder, "git", "commit", "--quiet", "--message", "Begin anew")
    evergreen = (sys.executable, "-m", "evergreen")
    run(folder, *evergreen, "ingest")
    run(folder, *evergreen, "pin")
    run(folder, "dvc", "repro")
    run(folder, *evergreen, "finish")
    run(folder, *evergreen, "pin", "--as-of", AS_OF, "--mode", "full")


def copy_of(base, folder):
    """Copy the repository without anything that a stage could take results from."""
    shutil.copytree(base, folder, symlinks=True, ignore=shutil.ignore_patterns(".cache"))
    shutil.rmtree(folder / ".dvc" / "cache")
    (folder / "dvc.lock").unlink()
    return folder


def outs(folder, stage):
    """The bytes of every file that a stage has written."""
    declared = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"][stage]["outs"]
    for out in declared:
        path = folder / (out if isinstance(out, str) else next(iter(out)))
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                yield str(file.relative_to(folder)), file.read_bytes()


def emulate(folder, reference):
    """Run the stages on an emulated processor; return the files that differ, and how many agree."""
    different, equal = [], 0
    for stage, variables in ARITHMETIC.items():
        attempts = 1 + CRASHES
        run(folder, *HASWELL, f"evergreen.stages.{stage}", attempts=attempts, **variables)
        expected, found = dict(outs(reference, stage)), dict(outs(folder, stage))
        names = expected.keys() | found.keys()
        wrong = [name for name in names if expected.get(name) != found.get(name)]
        different += wrong
        equal += len(names) - len(wrong)
    return sorted(different), equal


def numbers(value, path=""):
    """The numbers in a JSON file, by their paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def other_results(folder, reference):
    """Whether all decisions are the same, and the largest relative difference of a metric."""
    results = []
    for root in (folder, reference):
        decision = json.loads((root / "reports/decision.json").read_text())
        metrics = json.loads((root / "reports/metrics.json").read_text())
        actions = {name: target["action"] for name, target in decision["targets"].items()}
        results.append((decision["platform"], actions, dict(numbers(metrics))))
    (platform, actions, metrics), (_, expected_actions, expected) = results
    assert metrics.keys() == expected.keys()
    largest = max(abs(metrics[k] - v) / max(abs(v), 1e-9) for k, v in expected.items())
    same = "the same" if actions == expected_actions else "OTHER"
    return f"{platform}: {same} decisions, metrics differ by {largest:.1e} at most"


def main():
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        create(scratch / "base")
        reference = copy_of(scratch / "base", scratch / "reference")
        run(reference, "dvc", "repro")
        lock = (reference / "dvc.lock").read_bytes()
        decision = json.loads((reference / "reports/decision.json").read_text())
        print(f"reference: {decision['platform']}", flush=True)
        for number, (condition, variables) in enumerate((SAME | OTHER).items()):
            if chosen and condition not in chosen:
                continue
            started = time.perf_counter()
            folder = copy_of(scratch / "base", scratch / str(number))
            run(folder, "dvc", "repro", **variables)
            same = (folder / "dvc.lock").read_bytes() == lock
            said = "the same dvc.lock" if same else other_results(folder, reference)
            print(f"{condition:24} {said}, {time.perf_counter() - started:.0f} s", flush=True)
            shutil.rmtree(folder)
        if shutil.which(EMULATED) and (not chosen or "emulated Haswell" in chosen):
            started = time.perf_counter()
            folder = copy_of(scratch / "base", scratch / "emulated")
            shutil.copytree(reference / "data/labels", folder / "data/labels", dirs_exist_ok=True)
            different, equal = emulate(folder, reference)
            said = f"{equal} equal files" + "".join(f", not {name}" for name in different)
            print(f"{'emulated Haswell':24} {said}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
