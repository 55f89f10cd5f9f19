"""What the packages' sources need, and what their `package.xml` says of it.

    python src/vital_bringup/test/package_manifests.py

writes the run and test dependencies into every `package.xml` anew.
"""

import ast
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src"
PACKAGES = sorted(path.parent.name for path in SOURCES.glob("*/setup.py"))
# Imported name -> rosdep key, where the name is not one itself; what ROS has no key for: rosdep/vital.yaml.
KEYS = {
    "PIL": "python3-pil",
    "av": "python3-av-pip",
    "coal": "python3-coal-pip",
    "cv2": "python3-opencv",
    "gymnasium": "python3-gymnasium-pip",
    "hypothesis": "python3-hypothesis",
    "lightning_fabric": "python3-lightning-fabric-pip",
    "lz4": "python3-lz4-pip",
    "matplotlib": "python3-matplotlib",
    "mcap": "python3-mcap-pip",
    "msgspec": "python3-msgspec-pip",
    "mujoco": "python3-mujoco-pip",
    "mypy": "python3-mypy",
    "nbclient": "python3-nbclient-pip",
    "nbformat": "python3-nbformat-pip",
    "numpy": "python3-numpy",
    "ompl": "python3-ompl-pip",
    "onnx": "python3-onnx-pip",
    "onnxruntime": "python3-onnxruntime-pip",
    "pinocchio": "python3-pinocchio-pip",
    "pyarrow": "python3-pyarrow-pip",
    "pytest": "python3-pytest",
    "rich": "python3-rich",
    "ruckig": "python3-ruckig-pip",
    "safetensors": "python3-safetensors-pip",
    "scipy": "python3-scipy",
    "serial": "python3-serial",
    "torch": "python3-torch-pip",
    "viser": "python3-viser-pip",
    "websockets": "python3-websockets",
    "yaml": "python3-yaml",
    "zstandard": "python3-zstandard-pip",
}
# Imported only where somebody asks for it, and said to be missing in a sentence.
OPTIONAL = {
    "huggingface_hub", "lerobot", "mcap_ros2", "moveit", "moveit_msgs", "pyspacemouse", "ray", "tokenizers",
    "transformers",
}  # fmt: skip
# Built from the vendor's sources, docs/robot.md: rosdep cannot bring them.
FROM_SOURCE = {"xarm_api", "xarm_controller"}
LAUNCHED = re.compile(r'^    "(\w+)": (?:APT|GIT|"sudo apt)', re.MULTILINE)


def _imported(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def imports_of(package: str) -> set[str]:
    """Top-level names that the package's product code imports, its launch files included."""
    folder = SOURCES / package
    return set(_imported([*(folder / package).rglob("*.py"), *folder.glob("launch/*.py")])) - {package}


def _launched_by(package: str) -> set[str]:
    """Packages whose programs the package's launch files and studies start."""
    folder = SOURCES / package
    files = [*folder.glob("launch/*.py"), *folder.rglob("launching/*.py"), *folder.rglob("study/cells.py")]
    text = "\n".join(f.read_text() for f in files)
    ours = {name for name in PACKAGES if f'"{name}"' in text}
    return (ours | set(LAUNCHED.findall(text))) - {package} - FROM_SOURCE


def _keys(names: Iterable[str], own: set[str]) -> set[str]:
    wanted = set(names) - OPTIONAL - own
    return {KEYS.get(name, name) for name in wanted if name not in sys.stdlib_module_names}


def needed(package: str) -> tuple[list[str], list[str]]:
    """Run and test dependencies, as rosdep keys and package names."""
    tests = list((SOURCES / package / "test").glob("**/*.py"))
    helpers = {path.stem for folder in ("src/*/test", "docs/make") for path in ROOT.glob(f"{folder}/*.py")}
    run = _keys(imports_of(package), {package}) | _launched_by(package)
    return sorted(run), sorted(_keys(_imported(tests), {package} | helpers) - run | {"python3-pytest"})


def stated(package: str) -> tuple[list[str], list[str]]:
    """Run and test dependencies of the package's `package.xml`."""
    root = ET.parse(SOURCES / package / "package.xml").getroot()
    found = {kind: [e.text or "" for e in root.findall(kind)] for kind in ("exec_depend", "test_depend")}
    return found["exec_depend"], found["test_depend"]


def rosdep_keys() -> set[str]:
    """The keys of our own rosdep file."""
    return set(yaml.safe_load((ROOT / "rosdep" / "vital.yaml").read_text()))


def _write(package: str) -> None:
    path = SOURCES / package / "package.xml"
    kept = [line for line in path.read_text().splitlines() if "exec_depend" not in line and "test_depend" not in line]
    run, test = needed(package)
    lines = [f"  <exec_depend>{name}</exec_depend>" for name in run]
    lines += [f"  <test_depend>{name}</test_depend>" for name in test]
    at = next(i for i, line in enumerate(kept) if "<export>" in line)
    path.write_text("\n".join([*kept[:at], *lines, *kept[at:]]) + "\n")


if __name__ == "__main__":
    for name in PACKAGES:
        _write(name)
