"""What MoveIt is told of the arm: semantics, kinematics, limits, pipeline; all from the project's own description.

The names are those of the vendor's configuration: group `xarm7`, `link_tcp` at its end. Parameters in the form of
MoveIt 2.12 (Jazzy).
"""

import xml.etree.ElementTree as ET
from itertools import combinations
from typing import Any

from vital_core.arm.urdf import BODIES, urdf
from vital_core.arm.xarm7 import (
    BASE_FRAME,
    HOME_RAD,
    JOINT_NAMES,
    PLANNING_JOINT_ACCELERATION_RAD_S2,
    PLANNING_JOINT_SPEED_RAD_S,
    TCP_FRAME,
)
from vital_vlm_reach.planning.robot_model import FIRST_FREE_LINK, chain_rank, kept_apart

GROUP = "xarm7"
PIPELINE = "ompl"
PLANNER = "RRTConnect"
IK_TIMEOUT_S = 0.05
_WAIT_FOR_JOINTS_S = 10.0


def semantic_description() -> str:
    """SRDF: the group, its home, and which links are checked against which: as the embedded planner checks them.

    Links that stand on the table are checked against the far links of the arm alone, not against obstacles.
    """
    robot = ET.Element("robot", name="xarm7")
    ET.SubElement(ET.SubElement(robot, "group", name=GROUP), "chain", base_link=BASE_FRAME, tip_link=TCP_FRAME)
    home = ET.SubElement(robot, "group_state", name="home", group=GROUP)
    for name, position in zip(JOINT_NAMES, HOME_RAD, strict=True):
        ET.SubElement(home, "joint", name=name, value=f"{position:.6f}")
    for link in BODIES:
        if chain_rank(link) < FIRST_FREE_LINK:
            ET.SubElement(robot, "disable_default_collisions", link=link)
    for one, other in combinations(BODIES, 2):
        checked = not kept_apart(one, other)
        if checked and min(chain_rank(one), chain_rank(other)) < FIRST_FREE_LINK:
            ET.SubElement(robot, "enable_collisions", link1=one, link2=other, reason="Far")
        elif not checked:
            ET.SubElement(robot, "disable_collisions", link1=one, link2=other, reason="Adjacent")
    ET.indent(robot)
    return '<?xml version="1.0"?>\n' + ET.tostring(robot, encoding="unicode") + "\n"


def moveit_parameters() -> dict[str, Any]:
    """Of the node in which MoveIt plans; nested as in its YAML files."""
    return {
        "robot_description": urdf(),
        "robot_description_semantic": semantic_description(),
        "robot_description_kinematics": {GROUP: _kinematics()},
        "robot_description_planning": {"joint_limits": _joint_limits()},
        "planning_scene_monitor_options": {
            "name": "planning_scene_monitor",
            "robot_description": "robot_description",
            "joint_state_topic": "/joint_states",
            "wait_for_initial_state_timeout": _WAIT_FOR_JOINTS_S,
        },
        "planning_pipelines": {"pipeline_names": [PIPELINE]},
        "plan_request_params": {
            "planning_pipeline": PIPELINE,
            "planner_id": PLANNER,
            "planning_attempts": 1,
            "planning_time": 5.0,
            "max_velocity_scaling_factor": 0.25,
            "max_acceleration_scaling_factor": 0.25,
        },
        PIPELINE: _pipeline(),
    }


def _kinematics() -> dict[str, Any]:
    return {
        "kinematics_solver": "kdl_kinematics_plugin/KDLKinematicsPlugin",
        "kinematics_solver_search_resolution": 0.005,
        "kinematics_solver_timeout": IK_TIMEOUT_S,
    }


def _joint_limits() -> dict[str, Any]:
    """Positions are limited by the URDF."""
    limit = {
        "has_velocity_limits": True,
        "max_velocity": PLANNING_JOINT_SPEED_RAD_S,
        "has_acceleration_limits": True,
        "max_acceleration": PLANNING_JOINT_ACCELERATION_RAD_S2,
    }
    return {name: dict(limit) for name in JOINT_NAMES}


def _pipeline() -> dict[str, Any]:
    request, response = "default_planning_request_adapters", "default_planning_response_adapters"
    return {
        "planning_plugins": ["ompl_interface/OMPLPlanner"],
        "request_adapters": [
            f"{request}/{name}"
            for name in (
                "ResolveConstraintFrames",
                "ValidateWorkspaceBounds",
                "CheckStartStateBounds",
                "CheckStartStateCollision",
            )
        ],
        "response_adapters": [f"{response}/{name}" for name in ("AddTimeOptimalParameterization", "ValidateSolution")],
        "planner_configs": {PLANNER: {"type": "geometric::RRTConnect", "range": 0.0}},
        GROUP: {"planner_configs": [PLANNER], "longest_valid_segment_fraction": 0.002},
    }
