"""Rooms import from rooms below them alone, and no two files import in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
LAYERS = (
    ("errors",),
    ("settings",),
    ("core.wording",),
    ("core.events",),
    ("core.models",),
    ("core.features",),
    ("core.evaluation",),
    ("core.monitoring",),
    ("store",),
    ("simulation", "plots", "vcs"),
    ("stages", "ingestion"),
    ("history",),
    ("report",),
    ("replay", "serving", "notebook"),
    ("lifecycle",),
    ("cli",),
)
"""From the ground up; rooms in one row know nothing of each other."""
HEIGHT = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}
FOR_PEOPLE = {"", "__main__"}
"""The package itself and ``python -m evergreen`` lead to whatever people ask for."""


def name_of(path):
    parts = path.relative_to(SRC / "evergreen").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in (SRC / "evergreen").rglob("*.py")}


def imports(path):
    """The modules that a file names in imports, those for the type checker included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "evergreen":
            package = node.module.removeprefix("evergreen").removeprefix(".")
            for alias in node.names:
                whole = f"{package}.{alias.name}".removeprefix(".")
                yield whole if whole in MODULES else package


GRAPH = {
    name: {other for other in imports(path) if other != name}
    for name, path in MODULES.items()
    if name not in FOR_PEOPLE
}


def room_of(module):
    return max((r for r in HEIGHT if f"{module}.".startswith(f"{r}.")), key=len, default=module)


def test_every_module_is_in_a_room():
    assert {room_of(module) for module in GRAPH} - {"core"} == set(HEIGHT)


def test_no_room_imports_from_a_room_above_or_beside_it():
    upward = [
        f"{module} imports {other}"
        for module, others in GRAPH.items()
        for other in others
        if room_of(module) != room_of(other)
        and HEIGHT.get(room_of(module), 0) <= HEIGHT.get(room_of(other), len(LAYERS))
    ]
    assert upward == []


def test_no_files_import_each_other_in_a_circle():
    assert set(TopologicalSorter(GRAPH).static_order()) >= set(GRAPH)  # raises CycleError
