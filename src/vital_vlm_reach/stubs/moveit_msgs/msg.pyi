from collections.abc import Sequence

from geometry_msgs.msg import Pose
from shape_msgs.msg import SolidPrimitive
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory

class Constraints: ...

class MoveItErrorCodes:
    SUCCESS: int
    val: int

class RobotTrajectory:
    joint_trajectory: JointTrajectory

class CollisionObject:
    ADD: bytes
    header: Header
    id: str
    operation: bytes
    primitives: Sequence[SolidPrimitive]
    primitive_poses: Sequence[Pose]
    def __init__(self, *, id: str = "", operation: bytes = ...) -> None: ...

class AttachedCollisionObject:
    link_name: str
    object: CollisionObject
    touch_links: Sequence[str]
    def __init__(
        self, *, link_name: str = "", object: CollisionObject = ..., touch_links: Sequence[str] = ...
    ) -> None: ...
