"""What MoveIt is told agrees with the arm's description and with the embedded planner; the stand-in with the stubs."""

import ast
import inspect
import sys
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from vital_core.arm.urdf import BODIES
from vital_core.arm.xarm7 import (
    HOME_RAD,
    JOINT_NAMES,
    PLANNING_JOINT_ACCELERATION_RAD_S2,
    PLANNING_JOINT_SPEED_RAD_S,
)
from vital_vlm_reach.moveit.configuration import GROUP, moveit_parameters
from vital_vlm_reach.planning.planner import TABLE
from vital_vlm_reach.planning.robot_model import CollisionScene, RobotModel, chain_rank

HERE = Path(__file__).parent
PARAMETERS = moveit_parameters()
SEMANTICS = ET.fromstring(PARAMETERS["robot_description_semantic"])
URDF = ET.fromstring(PARAMETERS["robot_description"])
LINKS = {link.get("name") for link in URDF.iter("link")}


def pairs(tag: str) -> set[frozenset[str]]:
    return {frozenset((e.get("link1"), e.get("link2"))) for e in SEMANTICS.iter(tag)}


def checked_by_moveit() -> set[frozenset[str]]:
    """Pairs of links, as MoveIt reads an SRDF: a pair's own word counts before the link's."""
    off = {e.get("link") for e in SEMANTICS.iter("disable_default_collisions")}
    found = {frozenset(pair) for pair in combinations(BODIES, 2) if not off & set(pair)}
    return (found - pairs("disable_collisions")) | pairs("enable_collisions")


def test_every_name_in_the_semantics_is_in_the_description():
    for element in SEMANTICS.iter():
        for key in ("link", "link1", "link2", "base_link", "tip_link"):
            assert element.get(key) in {None, *LINKS}
    joints = {joint.get("name") for joint in URDF.iter("joint")}
    assert {joint.get("name") for joint in SEMANTICS.iter("joint")} == set(JOINT_NAMES) <= joints


def test_the_group_is_the_chain_of_the_arms_joints():
    parent_of = {j.find("child").get("link"): j for j in URDF.findall("joint")}
    chain = SEMANTICS.find(f"group[@name='{GROUP}']/chain")
    link, moving = chain.get("tip_link"), []
    while link != chain.get("base_link"):
        joint = parent_of[link]
        moving += [joint.get("name")] if joint.get("type") == "revolute" else []
        link = joint.find("parent").get("link")
    assert moving[::-1] == list(JOINT_NAMES)
    home = {j.get("name"): float(j.get("value")) for j in SEMANTICS.find("group_state")}
    np.testing.assert_allclose([home[name] for name in JOINT_NAMES], HOME_RAD, atol=1e-5)


def test_moveit_checks_the_links_that_the_embedded_planner_checks():
    scene = CollisionScene(RobotModel(), [TABLE], tip_offset_m=0.035)
    names = [shape.name.rsplit("_", 1)[0] for shape in scene._shapes.geometryObjects]
    ours = {frozenset((names[p.first], names[p.second])) for p in scene._shapes.collisionPairs}
    of_arm = {pair for pair in ours if pair <= set(BODIES)}
    assert checked_by_moveit() == of_arm
    on_table = {link for link in BODIES if chain_rank(link) < 2}
    assert {e.get("link") for e in SEMANTICS.iter("disable_default_collisions")} == on_table


def test_limits_are_those_of_the_embedded_planner_and_every_part_is_named_that_another_refers_to():
    limits = PARAMETERS["robot_description_planning"]["joint_limits"]
    assert list(limits) == list(JOINT_NAMES)
    for limit in limits.values():
        assert limit["max_velocity"] == PLANNING_JOINT_SPEED_RAD_S
        assert limit["max_acceleration"] == PLANNING_JOINT_ACCELERATION_RAD_S2
    asked = PARAMETERS["plan_request_params"]
    pipeline = PARAMETERS[asked["planning_pipeline"]]
    assert PARAMETERS["planning_pipelines"]["pipeline_names"] == [asked["planning_pipeline"]]
    assert asked["planner_id"] in pipeline["planner_configs"]
    assert pipeline[GROUP]["planner_configs"] == [asked["planner_id"]]
    assert list(PARAMETERS["robot_description_kinematics"]) == [GROUP]


def signatures(path: Path) -> dict[str, list[str]]:
    """`Class.method` -> names of its parameters, of a stub file."""
    found = {}
    for cls in ast.parse(path.read_text()).body:
        if isinstance(cls, ast.ClassDef):
            for method in (m for m in cls.body if isinstance(m, ast.FunctionDef)):
                given = method.args
                found[f"{cls.name}.{method.name}"] = [a.arg for a in (*given.posonlyargs, *given.args)][1:]
    return found


@pytest.mark.parametrize("stub", ["moveit/planning", "moveit/core/planning_scene", "moveit/core/robot_state"])
def test_the_stand_in_takes_what_the_stubs_say(stub, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "moveit_standin"))
    try:
        import moveit.planning as standin

        for name, stated in signatures(HERE.parent / "stubs" / f"{stub}.pyi").items():
            cls, method = name.split(".")
            cls = {"LockedPlanningSceneContextManagerRW": "Locked"}.get(cls, cls)
            if method in ("current_state", "__deepcopy__") or method.startswith("__e"):
                continue
            taken = list(inspect.signature(getattr(getattr(standin, cls), method)).parameters)[1:]
            if name != "PlanningComponent.__init__":
                assert taken == stated, name
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] in ("moveit", "moveit_msgs")]:
            del sys.modules[name]
