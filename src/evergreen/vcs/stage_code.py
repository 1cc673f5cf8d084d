"""The code that each stage depends on, and its lists in ``dvc.yaml``.

Run ``make dvc-yaml`` after a change of imports. A stage depends on rooms, which are folders below
``src/evergreen``: the lists stay short, and a change of a module reruns the stages it may affect.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SRC = Path("src")
ROOMS = ("settings", "core/events", "core/features", "core/models", "core/evaluation",
         "core/monitoring", "store")  # fmt: skip
"""Folders that a stage depends on as a whole; in other folders it depends on single modules."""
MOST = 9
"""Most dependencies of a stage on code; beyond that, ``core`` is a single dependency."""
STAGES = ("collect_labels", "featurize", "train_incremental", "train_full", "compare", "promote")
_DEPENDENCY = re.compile(r"^ {6}- src/.*\n", re.MULTILINE)


def places(stage: str, root: Path = Path()) -> list[str]:
    """The folders and modules with all code that a stage can execute, relative to `root`.

    Raises
    ------
    ValueError
        If there are more than `MOST`.
    """
    src = root / SRC
    modules = {path.relative_to(src) for path in modules_of(f"evergreen.stages.{stage}", src)}
    code = {_room(module) or module for module in modules}
    if len(code) > MOST:
        code = {Path("evergreen/core") if "core" in place.parts else place for place in code}
    if len(code) > MOST:
        raise ValueError(
            f"{stage} depends on {len(code)} folders and modules, allowed: {MOST}: "
            f"{', '.join(sorted(map(str, code)))}"
        )
    return sorted((SRC / place).as_posix() for place in code)


def _room(module: Path) -> Path | None:
    parents = {parent.as_posix(): parent for parent in module.parents}
    return next((parents[f"evergreen/{r}"] for r in ROOMS if f"evergreen/{r}" in parents), None)


def modules_of(module: str, src: Path) -> set[Path]:
    """The files below `src` that running a module can execute; files without code are left out."""
    # The package itself has only its version and lazy imports for users.
    package = src / "evergreen/__init__.py"
    queue, files = [_file_of(module, src)], set[Path]()
    while queue:
        path = queue.pop()
        if path is None or path == package or path in files:
            continue
        files.add(path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        queue += [_file_of(name, src) for name in (*_imported(tree), *_named(tree))]
    return {path for path in files if has_code(path)}


def _file_of(module: str, src: Path) -> Path | None:
    path = src.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported at run time, and not only for the type checker."""
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in _with_parents(alias.name))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield from _with_parents(f"{node.module}.{alias.name}")


def _named(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported by name, as by the registry of estimators."""
    for node in ast.walk(tree):
        name = node.value if isinstance(node, ast.Constant) else None
        if isinstance(name, str) and re.fullmatch(r"evergreen(\.\w+)+", name):
            yield name


def _with_parents(module: str) -> list[str]:
    """a.b.c, a.b and a: importing a module executes the packages around it."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            continue
        yield node
        yield from _executed(node)


def has_code(path: Path) -> bool:
    """Whether a module has more than a docstring."""
    return len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def with_places(text: str, root: Path = Path()) -> str:
    """The text of ``dvc.yaml`` with the code of every stage after its other dependencies."""
    for stage in STAGES:
        start = text.index(f"\n  {stage}:\n")
        deps = text.index("    deps:\n", start)
        outs = text.index("    outs:\n", deps)
        block = _DEPENDENCY.sub("", text[deps:outs])
        block += "".join(f"      - {place}\n" for place in places(stage, root))
        text = text[:deps] + block + text[outs:]
    return text


if __name__ == "__main__":
    dvc_yaml = Path("dvc.yaml")
    dvc_yaml.write_text(with_places(dvc_yaml.read_text(encoding="utf-8")), encoding="utf-8")
