"""Planners by name."""

from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner
from vital_vlm_reach.planning.planner import Planner

PLANNERS = ("embedded", "moveit")


def make_planner(name: str, node: Node, speed_scale: float) -> Planner:
    """What is not chosen is not imported. Raises VitalError(BAD_PARAMETER) for an unknown name."""
    if name == "embedded":
        return EmbeddedPlanner(speed_scale)
    if name == "moveit":
        from vital_vlm_reach.planning.moveit_planner import MoveItPlanner

        return MoveItPlanner(node, speed_scale, EmbeddedPlanner(speed_scale).retreat)
    raise VitalError(ErrorCode.BAD_PARAMETER, f"there is no planner '{name}', expected one of {', '.join(PLANNERS)}")
