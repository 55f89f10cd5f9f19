"""The arm as MoveIt plans for it: a request becomes a scene, a start state and a pose goal; its answer a trajectory.

Written against moveit_py 2.12 (Jazzy). Nothing is executed here: motion goes through the command gate.
"""

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import Point, Pose
from shape_msgs.msg import SolidPrimitive
from trajectory_msgs.msg import JointTrajectory

from vital_core.arm.urdf import BODIES
from vital_core.arm.xarm7 import BASE_FRAME, TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.srv import PlanReach
from vital_vlm_reach.moveit.configuration import GROUP, moveit_parameters
from vital_vlm_reach.planning.robot_model import HELD_OBJECT, HELD_RADIUS_M, chain_rank

if TYPE_CHECKING:
    from moveit.core.planning_scene import PlanningScene
    from moveit_msgs.msg import AttachedCollisionObject, CollisionObject

NEEDED = "planner:=moveit needs MoveIt 2: sudo apt install ros-jazzy-moveit ros-jazzy-moveit-py, source ROS, or use "
# moveit_msgs/MoveItErrorCodes: what has a code of its own here.
CODES = {
    -6: (ErrorCode.TIMEOUT, "found no way in the time given: clear the way"),
    -10: (ErrorCode.IN_COLLISION, "the arm starts in collision: move it free by hand"),
    -12: (ErrorCode.IN_COLLISION, "at the goal the arm would be in collision: clear the goal"),
    -26: (ErrorCode.IN_COLLISION, "the arm starts in a state that it may not be in: move it free by hand"),
    -27: (ErrorCode.UNREACHABLE, "no state at the goal is one that the arm may be in"),
    -31: (ErrorCode.UNREACHABLE, "no joint positions bring the TCP to the goal"),
}
# The fingers and the palm hold the object; they may touch it.
TOUCHING_LINKS = [link for link in BODIES if chain_rank(link) == chain_rank(TCP_FRAME)]


class MoveItArm:
    """MoveIt for this arm. Raises VitalError(BAD_PARAMETER) where MoveIt is not installed."""

    def __init__(self) -> None:
        try:
            from moveit.planning import MoveItPy, PlanRequestParameters
        except ImportError as error:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"{NEEDED}planner:=embedded ({error})") from error
        self._new_parameters = PlanRequestParameters
        self._moveit = MoveItPy(node_name="moveit_arm", config_dict=moveit_parameters(), provide_planning_service=False)
        self._component = self._moveit.get_planning_component(GROUP)

    def plan(self, request: PlanReach.Request) -> JointTrajectory:
        """A motion from rest to rest. Holds the interpreter until it is found.

        Raises VitalError: IN_COLLISION, UNREACHABLE, TIMEOUT, PLAN_FAILED.
        """
        with self._moveit.get_planning_scene_monitor().read_write() as scene:
            set_scene(scene, request)
            # A copy of the scene's own state keeps what is attached to the hand.
            start = copy.deepcopy(scene.current_state)
        start.set_joint_group_positions(GROUP, np.array(request.start_rad))
        start.update()
        self._component.set_start_state(robot_state=start)
        if not self._component.set_goal_state(pose_stamped_msg=request.goal, pose_link=TCP_FRAME):
            raise VitalError(ErrorCode.PLAN_FAILED, f"MoveIt does not take the goal for {TCP_FRAME}")
        parameters = self._new_parameters(self._moveit, "")
        parameters.planning_time = request.time_s
        parameters.max_velocity_scaling_factor = request.speed_scale
        parameters.max_acceleration_scaling_factor = request.speed_scale
        response = self._component.plan(single_plan_parameters=parameters)
        if not response:
            raise refusal_of(response.error_code.val)
        return response.trajectory.get_robot_trajectory_msg().joint_trajectory

    def close(self) -> None:
        """End MoveIt's own node."""
        self._moveit.shutdown()


def refusal_of(moveit_code: int) -> VitalError:
    """The error for one of MoveIt's codes."""
    code, told = CODES.get(moveit_code, (ErrorCode.PLAN_FAILED, "found no plan"))
    return VitalError(code, f"MoveIt: {told} (its error code {moveit_code})")


def set_scene(scene: "PlanningScene", request: PlanReach.Request) -> None:
    """Everything that stands about, in the place of what stood there before, and the object in the hand."""
    scene.remove_all_collision_objects()
    for box in boxes_of(request):
        scene.apply_collision_object(box)
    # One of the same name takes the other's place.
    scene.process_attached_collision_object(held_object(request.tip_offset_m))


def boxes_of(request: PlanReach.Request) -> Iterator["CollisionObject"]:
    """The obstacles of a request. Raises VitalError(BAD_PARAMETER) when they are not as many names as boxes."""
    names, centres, sizes = request.obstacle_names, request.obstacle_centres, request.obstacle_sizes
    if not len(names) == len(centres) == len(sizes):
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"{len(names)} names, {len(centres)} centres and {len(sizes)} sizes of obstacles, expected as many of each",
        )
    for name, centre, size in zip(names, centres, sizes, strict=True):
        yield _shape(name, BASE_FRAME, SolidPrimitive.BOX, [size.x, size.y, size.z], centre)


def held_object(tip_offset_m: float) -> "AttachedCollisionObject":
    """The object in the hand, a cylinder from the TCP to its tip."""
    from moveit_msgs.msg import AttachedCollisionObject

    # Planners refuse shapes without extent; a hand that holds nothing has a tip at the TCP.
    length_m = max(tip_offset_m, 1e-3)
    cylinder = _shape(HELD_OBJECT, TCP_FRAME, SolidPrimitive.CYLINDER, [length_m, HELD_RADIUS_M], Point(z=length_m / 2))
    return AttachedCollisionObject(link_name=TCP_FRAME, object=cylinder, touch_links=TOUCHING_LINKS)


def _shape(name: str, frame: str, kind: int, dimensions: list[float], centre: Point) -> "CollisionObject":
    from moveit_msgs.msg import CollisionObject

    message = CollisionObject(id=name, operation=CollisionObject.ADD)
    message.header.frame_id = frame
    message.primitives = [SolidPrimitive(type=kind, dimensions=dimensions)]
    pose = Pose(position=centre)
    pose.orientation.w = 1.0
    message.primitive_poses = [pose]
    return message
