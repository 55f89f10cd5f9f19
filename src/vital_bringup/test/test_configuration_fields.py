"""A setting that nothing reads would be a promise: every field of every configuration is used by the product's code.

Which attribute is read of which class is mypy's to say: two configurations may have a field of the same name.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGIN = Path(__file__).with_name("attributes_read.py")
NAMES = ("Config", "Parameters", "Limits", "Settings", "Options")
UNSEEN = """
from dataclasses import dataclass
@dataclass(frozen=True)
class AConfig:
    used: int = 1
    only_checked: int = 2
    def __post_init__(self) -> None:
        assert self.only_checked
class BConfig:
    only_checked: int = 2
def read(a: AConfig, b: BConfig) -> int:
    return a.used + b.only_checked
"""


def attributes_read(folder: Path, *files: Path | str) -> set[str]:
    """`module.Class.attribute` of everything that these files read, by type."""
    settings = (ROOT / "pyproject.toml").read_text().replace("[tool.mypy]\n", f'[tool.mypy]\nplugins = ["{PLUGIN}"]\n')
    (folder / "pyproject.toml").write_text(settings)
    found = folder / "attributes.txt"
    command = [sys.executable, "-m", "mypy", "--config-file", str(folder / "pyproject.toml"), *map(str, files)]
    done = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache")], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "VITAL_ATTRIBUTES_READ": str(found)},
    )  # fmt: skip
    assert "INTERNAL ERROR" not in done.stderr + done.stdout, done.stderr
    return set(found.read_text().split())


def fields_in(path: Path, module: str) -> Iterator[str]:
    """`module.Class.field` of the configuration dataclasses of a file."""
    classes = {node.name: node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}
    for name, node in classes.items():
        if name.endswith(NAMES) and "dataclass" in map(_name, node.decorator_list):
            # What gives a base's field another default is read through the base.
            of_bases = {field for base in map(_name, node.bases) if base in classes for field in own(classes[base])}
            yield from (f"{module}.{name}.{field}" for field in own(node) if field not in of_bases)


def own(node: ast.ClassDef) -> list[str]:
    """Annotated names of a class."""
    fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
    return [field.id for field in fields if isinstance(field, ast.Name)]


def _name(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")[2]


def product_modules() -> Iterator[tuple[Path, str]]:
    """Every module of every package, tests left out."""
    for package in sorted(path.parent for path in (ROOT / "src").glob("*/setup.py")):
        for path in sorted((package / package.name).rglob("*.py")):
            yield path, ".".join(path.relative_to(package).with_suffix("").parts)


def test_every_field_of_every_configuration_is_read_by_the_product(tmp_path: Path) -> None:
    packages = [path.parent / path.parent.name for path in sorted((ROOT / "src").glob("*/setup.py"))]
    fields = [field for path, module in product_modules() for field in fields_in(path, module)]
    assert len(fields) > 100
    read = attributes_read(tmp_path, *packages)
    assert [field for field in fields if field not in read] == []


@pytest.mark.parametrize(("field", "used"), [("used", True), ("only_checked", False)])
def test_a_field_that_is_only_checked_or_has_a_namesake_is_not_read(tmp_path: Path, field: str, used: bool) -> None:
    path = tmp_path / "vital_unseen.py"
    path.write_text(UNSEEN)
    assert f"vital_unseen.AConfig.{field}" in set(fields_in(path, "vital_unseen"))
    assert (f"vital_unseen.AConfig.{field}" in attributes_read(tmp_path, path)) is used
