"""The rooms of the package: who may import whom."""

import ast
from pathlib import Path

import vital_sim

ROOT = Path(vital_sim.__file__).parent
MAY_IMPORT = {
    "scenery": set(),
    "world": {"scenery"},
    "cameras": {"world"},
    "demonstrator": {"scenery", "world", "cameras"},
    "gym": {"scenery", "world", "cameras", "demonstrator"},
    "evaluation": {"world", "cameras", "gym"},
    "demonstrations": {"scenery", "world", "cameras", "demonstrator", "gym", "evaluation"},
    "validation": {"world", "demonstrator"},
    "ros": {"scenery", "world", "cameras", "demonstrator"},
}


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
