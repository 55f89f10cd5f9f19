"""What is installed is bounded, locked by hash, used, and explained; of NumPy no more is used than Jazzy's has."""

import ast
import re
from pathlib import Path

import package_manifests as manifests
import pytest

# In NumPy 2 and not in the 1.26 that messages of ROS 2 Jazzy are compiled against.
NEWER_NUMPY = {
    *(
        "StringDType",
        "strings",
        "astype",
        "bool",
        "long",
        "ulong",
        "concat",
        "unstack",
        "permute_dims",
        "isdtype",
        "pow",
    ),
    *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "trapezoid", "cumulative_sum", "cumulative_prod"),
    *("matvec", "vecmat", "vecdot", "matrix_transpose", "matrix_norm", "vector_norm", "svdvals", "bitwise_count"),
    *("unique_all", "unique_counts", "unique_inverse", "unique_values"),
}
REQUIREMENTS = manifests.ROOT / "requirements"
WANTED = sorted(REQUIREMENTS.glob("*.in"))
LOCKS = [*sorted(REQUIREMENTS.glob("*.txt")), manifests.ROOT / "pip_ros" / "ros2_jazzy.txt"]
NAME = re.compile(r"^[A-Za-z0-9._-]+")
# Import name -> name on PyPI, where they differ; what ROS or the project itself brings is none.
ON_PYPI = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "lightning_fabric": "lightning-fabric",
    "pinocchio": "pin",
    "serial": "pyserial",
    "yaml": "pyyaml",
}
# Not imported by name, but needed: what writes the curves, what tests and checks run.
NOT_IMPORTED = {"tensorboard", "uv", "mypy", "ruff", "types-pyyaml", "mcap-ros2-support", "pytest", "hypothesis"}


def wanted(file: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def names(*files: Path) -> set[str]:
    return {NAME.match(line)[0].lower() for file in files for line in wanted(file)}


@pytest.mark.parametrize("file", WANTED, ids=lambda path: path.name)
def test_everything_that_is_wanted_has_an_upper_bound(file):
    assert [line for line in wanted(file) if "==" not in line and "<" not in line] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_everything_that_is_locked_has_a_version_and_a_hash(lock):
    text = re.sub(r"\\\n\s*", " ", lock.read_text())
    lines = [line for line in text.splitlines() if NAME.match(line)]
    assert lines and [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("file", [f for f in WANTED if f.name != "pointing.in"], ids=lambda path: path.name)
def test_everything_that_is_wanted_is_locked(file):
    lock = file.with_suffix(".txt").read_text()
    assert [name for name in names(file) if not re.search(rf"^{re.escape(name)}==", lock, re.MULTILINE)] == []


def third_party() -> set[str]:
    """Names on PyPI of what the packages' product code imports."""
    known = set(manifests.KEYS) - {"hypothesis", "pytest"}
    found = set().union(*map(manifests.imports_of, manifests.PACKAGES))
    return {ON_PYPI.get(name, name) for name in found & known}


def test_everything_that_is_imported_is_wanted_and_everything_wanted_is_used():
    installed = names(*(f for f in WANTED if f.stem in ("base", "robot", "torch", "numpy")))
    assert third_party() - installed == set()
    assert installed - third_party() - NOT_IMPORTED == set()


def test_everything_that_is_wanted_is_explained():
    told = (manifests.ROOT / "docs" / "dependencies.md").read_text().lower()
    special = {"mcap-ros2-support", "types-pyyaml"}
    assert {name for name in names(*WANTED) - special if not re.search(rf"\b{re.escape(name)}\b", told)} == set()


def numpy_names(file: Path) -> set[str]:
    """Attributes that are taken of NumPy or of its parts, as `concat` in `np.concat`."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if ast.unparse(node.value) in ("np", "numpy", "np.linalg", "np.dtypes")}


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_no_package_needs_a_newer_numpy_than_a_robot_s_computer_has(package):
    folder = manifests.SOURCES / package
    files = [file for file in folder.rglob("*.py") if "test" not in file.relative_to(folder).parts]
    used = {str(file.relative_to(folder)): numpy_names(file) & NEWER_NUMPY for file in files}
    assert {file: names for file, names in used.items() if names} == {}


def test_what_commands_write_is_ignored_by_git():
    ignored = (manifests.ROOT / ".gitignore").read_text()
    assert all(f"/{folder}/" in ignored for folder in ("recordings", "training", "runs", "reports"))
