"""How the packages are built: few modules a folder, short chains of imports, no circle, thin nodes."""

import ast
from functools import cache
from pathlib import Path

import package_manifests as manifests
import pytest

MOST_MODULES, LONGEST_CHAIN, LONGEST_NODE = 15, 5, 149


@cache
def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its name."""
    folder = manifests.SOURCES / package
    named = {}
    for path in (folder / package).rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


@cache
def imported(package: str, name: str) -> frozenset[str]:
    """The package's own modules that a module of it imports, inside functions too."""
    known, found = modules(package), set()
    for node in ast.walk(ast.parse(known[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & set(known) or {node.module}
    return frozenset((found & set(known)) - {name})


def chain(package: str, name: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The longest chain of imports from a module down. Fails on a circle."""
    assert name not in above, f"a circle: {' > '.join([*above, name])}"
    below = (chain(package, other, (*above, name)) for other in imported(package, name))
    return (name, *max(below, key=len, default=()))


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_a_chain_of_imports_can_be_followed_and_is_no_circle(package: str) -> None:
    longest = max((chain(package, name) for name in modules(package)), key=len)
    assert len(longest) <= LONGEST_CHAIN, " > ".join(longest)


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_a_folder_holds_what_can_be_told_in_a_sentence(package: str) -> None:
    for folder in {path.parent for path in modules(package).values()}:
        found = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(found) <= MOST_MODULES, (folder.name, sorted(found))


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_a_node_converts_calls_and_publishes(package: str) -> None:
    for path in modules(package).values():
        if path.name.endswith("_node.py"):
            assert len(path.read_text().splitlines()) <= LONGEST_NODE, path.name
