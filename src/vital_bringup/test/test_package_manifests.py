"""What a `package.xml` says is what the package needs, and no import points up or sideways."""

import importlib
import xml.etree.ElementTree as ET

import package_manifests as manifests
import pytest

# Floors from the ground up; a package imports from floors below its own.
FLOORS = (
    ("vital_interfaces", "vital_core"),
    ("vital_ros",),
    ("vital_perception", "vital_control", "vital_teleop", "vital_data", "vital_augment", "vital_sim"),
    ("vital_policy",),
    ("vital_rl", "vital_vlm_reach", "vital_monitor"),
    ("vital_bringup",),
)
# The training command of the pointing network renders; what finds a target does not.
CROSSINGS = {("vital_vlm_reach", "vital_sim")}


def all_needed(package: str) -> list[str]:
    """Run and test dependencies."""
    run, test = manifests.needed(package)
    return [*run, *test]


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_dependencies_are_those_of_the_sources(package):
    run, test = manifests.needed(package)
    stated_run, stated_test = manifests.stated(package)
    assert (sorted(stated_run), sorted(stated_test)) == (run, test), (
        "python src/vital_bringup/test/package_manifests.py writes them anew"
    )


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_imports_point_down(package):
    floor = {name: i for i, names in enumerate(FLOORS) for name in names}
    ours = {name for name in manifests.imports_of(package) if name in floor}
    wrong = {name for name in ours if floor[name] >= floor[package] and (package, name) not in CROSSINGS}
    assert not wrong


def test_every_key_of_our_own_is_used_and_every_pip_key_is_known():
    used = {key for package in manifests.PACKAGES for key in all_needed(package)}
    of_ros = {"python3-gymnasium-pip", "python3-mujoco-pip"}
    assert {key for key in used if key.endswith("-pip")} - of_ros == manifests.rosdep_keys()


def test_every_key_of_our_own_names_what_pip_installs():
    for name, key in manifests.KEYS.items():
        if key in manifests.rosdep_keys():
            importlib.import_module(name)


@pytest.mark.parametrize("package", manifests.PACKAGES)
def test_manifest_has_a_description_and_the_licence(package):
    root = ET.parse(manifests.SOURCES / package / "package.xml").getroot()
    assert root.findtext("license") == "Apache-2.0" and len(root.findtext("description") or "") > 20
    assert "description" not in (manifests.SOURCES / package / "setup.py").read_text()


def test_packages_can_be_built_in_an_order():
    """Run and test dependencies together: colcon orders by both."""
    left = {name: set(all_needed(name)) & set(manifests.PACKAGES) for name in manifests.PACKAGES}
    while free := {name for name, wanted in left.items() if not wanted}:
        left = {name: wanted - free for name, wanted in left.items() if name not in free}
    assert not left
