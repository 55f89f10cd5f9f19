"""Every package has a README, and what it says of its nodes is what they say of themselves."""

import subprocess
import sys
from pathlib import Path

import package_manifests as manifests
import pytest
import readme_tables as tables
from fuzzed_nodes import NODES

FOLDERS = [*manifests.PACKAGES, "vital_interfaces"]


def readme(package: str) -> str:
    return (tables.SOURCES / package / "README.md").read_text()


@pytest.mark.parametrize("name", NODES)
def test_readme_tells_of_the_node_as_it_is(name: str, tmp_path: Path) -> None:
    package, lines = tables.described(name, tmp_path)
    assert "\n".join(lines) in readme(package), "src/vital_bringup/test/readme_tables.py writes the tables anew"


def test_program_that_writes_the_tables_runs_without_pytest() -> None:
    script = Path(tables.__file__)
    done = subprocess.run(
        [sys.executable, "-c", f"import {script.stem}"], cwd=script.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", FOLDERS)
def test_readme_says_what_the_package_is_for_and_where_things_are(package: str) -> None:
    text = readme(package)
    assert text.startswith(f"# {package}\n") and len(text.split("\n\n")[1]) > 80
    folder = tables.SOURCES / package / package
    rooms = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {room for room in rooms if f"`{room}" not in text} == set()


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_readme_names_every_program(package: str) -> None:
    programs = tables.programs(package).values()
    assert [name for name in programs if f"`{name}`" not in readme(package)] == []


def test_every_message_is_in_the_readme_of_the_interfaces() -> None:
    folder = tables.SOURCES / "vital_interfaces"
    names = {path.stem for kind in ("msg", "srv", "action") for path in folder.glob(f"{kind}/*")}
    assert {name for name in names if f"`{name}`" not in readme("vital_interfaces")} == set()
