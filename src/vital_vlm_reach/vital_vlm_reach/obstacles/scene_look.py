"""A look at the table through the scene's depth camera, for the planner and for viewers."""

from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vital_core.arm.xarm7 import BASE_FRAME
from vital_ros.calls import wait_for
from vital_ros.conversions import point_message, vector_message
from vital_ros.qos import LATCHED
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.camera_view import CameraView
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.obstacles.height_map import DepthView
from vital_vlm_reach.obstacles.seen_obstacles import seen_obstacles
from vital_vlm_reach.planning.planner import Cancelled, ReachProblem
from vital_vlm_reach.planning.robot_model import Obstacle, RobotModel

Look = Callable[[ReachProblem, Cancelled], tuple[Obstacle, ...]]
_LATE_S = 2.0
_SEEN_COLOUR = ColorRGBA(r=0.95, g=0.55, b=0.1, a=0.5)
_KEEP_OUT_COLOUR = ColorRGBA(r=0.2, g=0.5, b=0.95, a=0.35)


def chosen_look(node: Node, frames: FixedFrames, source: str, timeout_s: float) -> Look:
    """What tells what is in the way. source: `camera`, or `none` for nothing."""
    if source == "none":
        return lambda problem, cancelled: ()
    return SceneLook(node, frames, timeout_s).obstacles


class SceneLook:
    """Turns the depth image into obstacles, and shows them on `/vital/obstacles`."""

    def __init__(self, node: Node, frames: FixedFrames, timeout_s: float) -> None:
        self._node, self._frames, self._timeout_s = node, frames, timeout_s
        self._robot = RobotModel()
        self._markers = node.create_publisher(MarkerArray, "/vital/obstacles", LATCHED)

    def obstacles(self, problem: ReachProblem, cancelled: Cancelled) -> tuple[Obstacle, ...]:
        """What stands on the table, with the arm at rest at the problem's start. For a thread beside the executor.

        Raises VitalError: NO_CAMERA, NO_CALIBRATION, NO_DEPTH, BAD_OBSERVATION, CANCELLED.
        """
        view = self._view(cancelled)
        seen = seen_obstacles(
            DepthView(view.depth_mm, view.camera, self._frames.pose(BASE_FRAME, view.frame_id)),
            problem.task,
            problem.start_rad,
            self._robot,
            problem.keep_out,
        )
        self._show(seen, problem.keep_out)
        return seen

    def _view(self, cancelled: Cancelled) -> View:
        executor = self._node.executor
        assert executor is not None, "asked before the node was spun"
        looking = executor.create_task(self._look)
        view: CameraView = wait_for(looking, self._timeout_s + _LATE_S, "the scene camera", cancelled)
        return view.read()

    async def _look(self) -> CameraView:
        # What was seen before the arm came to rest shows it elsewhere.
        view = CameraView(self._node, self._timeout_s, since_ns=self._node.get_clock().now().nanoseconds)
        try:
            await view.arrived
        finally:
            view.close()
        return view

    def _show(self, seen: tuple[Obstacle, ...], keep_out: Obstacle) -> None:
        message = MarkerArray(markers=[Marker(action=Marker.DELETEALL)])
        message.markers += [_marker(i, o, _SEEN_COLOUR) for i, o in enumerate(seen)]
        message.markers.append(_marker(len(seen), keep_out, _KEEP_OUT_COLOUR))
        stamp = self._node.get_clock().now().to_msg()
        for marker in message.markers:
            marker.header.frame_id, marker.header.stamp = BASE_FRAME, stamp
        self._markers.publish(message)


def _marker(number: int, obstacle: Obstacle, colour: ColorRGBA) -> Marker:
    marker = Marker(ns="obstacles", id=number, type=Marker.CUBE, action=Marker.ADD, color=colour)
    marker.pose.position = point_message(obstacle.centre_m)
    marker.pose.orientation.w = 1.0
    marker.scale = vector_message(np.maximum(obstacle.size_m, 1e-4))
    return marker
