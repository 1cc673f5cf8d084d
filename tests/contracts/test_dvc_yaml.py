"""What `dvc.yaml` declares is what the stages really read, import and write."""

import ast
from pathlib import Path

import pytest
import yaml

from evergreen import paths

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
STAGES = (
    "collect_labels",
    "featurize",
    "train_incremental",
    "train_full",
    "compare",
    "promote",
)


@pytest.fixture(scope="module")
def dvc_yaml():
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())


def source_of(module):
    """The file of a module below src, or None for one from elsewhere."""
    path = SRC.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def imported_by(path):
    """Modules that a file imports when it runs: not those that only its type checker sees."""
    for node in runtime_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in with_parents(alias.name))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield from with_parents(f"{node.module}.{alias.name}")


def with_parents(module):
    """a.b.c, a.b and a: importing a module runs the packages around it."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def runtime_nodes(tree):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            continue
        yield node
        yield from runtime_nodes(node)


def sources_needed(module):
    """Every file below src that running a module can execute, apart from empty packages."""
    waiting, found = [source_of(module)], set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.parent.name == "estimators":  # the registry imports them by name
            waiting += path.parent.glob("*.py")
        waiting += filter(None, map(source_of, imported_by(path)))
    return {p for p in found if not is_only_docstring(p)}


def is_only_docstring(path):
    return len(ast.parse(path.read_text()).body) <= 1


def test_the_six_stages_are_the_pipeline(dvc_yaml):
    assert tuple(dvc_yaml["stages"]) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_stage_runs_the_module_of_its_name_from_the_folder_it_runs_in(dvc_yaml, stage):
    assert dvc_yaml["stages"][stage]["cmd"] == f"PYTHONPATH=src python -m evergreen.stages.{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_declares_every_module_that_it_imports_and_no_other(dvc_yaml, stage):
    declared = set()
    for dep in dvc_yaml["stages"][stage]["deps"]:
        path = ROOT / dep
        if SRC in path.parents:
            declared |= set(path.rglob("*.py")) if path.is_dir() else {path}
    needed = sources_needed(f"evergreen.stages.{stage}")
    missing = sorted(str(p.relative_to(ROOT)) for p in needed - declared)
    unused = sorted(str(p.relative_to(ROOT)) for p in declared - needed)
    assert (missing, [u for u in unused if not is_only_docstring(ROOT / u)]) == ([], [])


def declared_outs(stage):
    for key in ("outs", "metrics", "plots"):
        for out in stage.get(key, []):
            yield out if isinstance(out, str) else next(iter(out))


def test_every_path_in_dvc_yaml_is_known_to_the_path_module(dvc_yaml):
    known = {str(value) for value in vars(paths).values() if isinstance(value, Path)}
    for stage in dvc_yaml["stages"].values():
        data = {dep for dep in stage["deps"] if not dep.startswith("src/")}
        assert (data | set(declared_outs(stage))) - known == set()


def settings_read_by(stage):
    """The dotted settings that a stage file, or a part of it, reads, such as gate.window_days."""
    parts = {"promote": ["promote", "watch"]}.get(stage, [stage])
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
    derived = {"windows_days": ["features.windows_days", "targets"]}
    for read in settings_read_by(stage):
        for key in derived.get(read, [read]):
            covered = any(
                (key + ".").startswith(d + ".") or (d + ".").startswith(key + ".") for d in declared
            )
            assert covered, f"{stage} reads {key}, declared are {declared}"
