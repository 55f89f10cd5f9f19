"""The rooms of the package: who may import whom, and how deep that goes."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import vital_sim

ROOT = Path(vital_sim.__file__).parent
MAY_IMPORT = {
    "world": set(),
    "cameras": {"world"},
    "demonstrator": {"world", "cameras"},
    "gym": {"world", "cameras"},
    "evaluation": {"cameras", "gym"},
    "validation": {"world", "demonstrator"},
    "ros": {"world", "cameras", "demonstrator"},
}
DEEPEST = 5


def imported(path):
    """Modules of the package that a file imports, as (room, module)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vital_sim."):
            parts = node.module.split(".")[1:]
            yield from [tuple(parts)] if len(parts) == 2 else [(*parts, name.name) for name in node.names]


def modules():
    return {(path.parent.name, path.stem): set(imported(path)) for path in ROOT.glob("*/*.py")}


def test_rooms_import_those_below_them_alone():
    for (room, module), needs in modules().items():
        strangers = {other for other, _ in needs} - MAY_IMPORT[room] - {room}
        assert not strangers, f"{room}.{module} imports of {sorted(strangers)}"


def test_imports_go_no_deeper_than_a_reader_can_follow():
    needs, depth = modules(), {}
    for name in TopologicalSorter(needs).static_order():  # refuses a circle
        depth[name] = 1 + max((depth[n] for n in needs.get(name, ())), default=0)
    assert max(depth.values()) <= DEEPEST, sorted(n for n, d in depth.items() if d > DEEPEST)
