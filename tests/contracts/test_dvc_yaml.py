"""What `dvc.yaml` declares is what the stages really read, import and write."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from evergreen.settings import paths
from evergreen.vcs import stage_code

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
STAGES = stage_code.STAGES


@pytest.fixture(scope="module")
def dvc_yaml():
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())


def test_the_six_stages_are_the_pipeline(dvc_yaml):
    assert tuple(dvc_yaml["stages"]) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_stage_runs_the_module_of_its_name_from_the_folder_it_runs_in(dvc_yaml, stage):
    assert dvc_yaml["stages"][stage]["cmd"] == f"PYTHONPATH=src python -m evergreen.stages.{stage}"


def test_the_lists_of_code_are_what_make_dvc_yaml_writes():
    written = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert written == stage_code.with_places(written, ROOT), "make dvc-yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_that_a_stage_imports_lies_in_a_place_that_it_declares(stage):
    code = (
        f"import sys, evergreen.stages.{stage}\n"
        "print(*filter(None, (getattr(m, '__file__', None) for m in sys.modules.values())))"
    )
    loaded = {
        Path(file).relative_to(SRC)
        for file in subprocess.check_output([sys.executable, "-c", code], text=True).split()
        if SRC in Path(file).parents
    }
    places = [Path(place).relative_to("src") for place in stage_code.places(stage, ROOT)]
    outside = {m for m in loaded if not any(p == m or p in m.parents for p in places)}
    assert {m for m in outside if stage_code.has_code(SRC / m)} == {Path("evergreen/__init__.py")}


def declared_outs(stage):
    for key in ("outs", "metrics", "plots"):
        for out in stage.get(key, []):
            yield out if isinstance(out, str) else next(iter(out))


def test_every_path_in_dvc_yaml_is_known_to_the_path_module(dvc_yaml):
    known = {str(value) for value in vars(paths).values() if isinstance(value, Path)}
    known |= {str(paths.PARAMETERS_USED / f"{stage}.json") for stage in STAGES}
    for stage in dvc_yaml["stages"].values():
        data = {dep for dep in stage["deps"] if not dep.startswith("src/")}
        assert (data | set(declared_outs(stage))) - known == set()


def settings_read_by(stage):
    """The dotted settings that a stage file, or a part of it, reads, such as gate.window_days."""
    parts = {"promote": ["promote", "monitor"]}.get(stage, [stage])
    trees = [ast.parse((SRC / "evergreen" / "stages" / f"{part}.py").read_text()) for part in parts]
    for node in (found for tree in trees for found in ast.walk(tree)):
        chain, base = [], node
        while isinstance(base, ast.Attribute):
            chain.append(base.attr)
            base = base.value
        if chain and isinstance(base, ast.Name) and base.id == "settings":
            yield ".".join(reversed(chain)).removesuffix(".of")  # settings.estimators.of(name)


@pytest.mark.parametrize("stage", STAGES)
def test_stage_declares_every_parameter_that_it_reads(dvc_yaml, stage):
    declared = dvc_yaml["stages"][stage].get("params", [])
    for key in settings_read_by(stage):
        covered = any(
            (key + ".").startswith(d + ".") or (d + ".").startswith(key + ".") for d in declared
        )
        assert covered, f"{stage} reads {key}, declared are {declared}"
