"""Goals that come too late: to a node that was itself frozen, or after the machine slept, nobody waits any more."""

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.time import Time as RosTime

from vital_core.errors import ErrorCode, VitalError


def check_in_time(node: Node, valid_until: Time) -> None:
    """Raises VitalError(TIMEOUT) after ``valid_until`` (ROS time; 0: no such time)."""
    until_ns = RosTime.from_msg(valid_until).nanoseconds
    late_s = 1e-9 * (node.get_clock().now().nanoseconds - until_ns)
    if until_ns and late_s > 0.0:
        raise VitalError(
            ErrorCode.TIMEOUT, f"the goal came {late_s:.1f} s after its valid_until and was not begun: send it again"
        )
