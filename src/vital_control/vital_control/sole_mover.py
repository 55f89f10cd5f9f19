"""Nobody but one command gate moves the arm of a ROS domain, whichever machine or namespace the other runs on."""

import time

from rclpy.node import Node

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

LEAVING_S = 2.5  # one that is just coming to its end is waited for
POLL_S = 0.05


def refuse_beside_another(node: Node, topic: str, look_s: float) -> None:
    """Look for ``look_s`` whether another than ``node``, which has its publisher already, publishes on ``topic``.

    Of two that start at the same moment each sees the other. One that was killed is not seen: it announces itself to
    nobody. Raises VitalError(BUSY) naming who is there.
    """
    if look_s <= 0.0:
        return
    start_s = steady_s()
    while True:
        others = _others(node, topic)
        passed_s = steady_s() - start_s
        if passed_s >= look_s and not others:
            return
        if passed_s >= max(look_s, LEAVING_S):
            raise VitalError(
                ErrorCode.BUSY,
                f"{' and '.join(others)} publishes on {topic} in this ROS domain already, and one alone may move the "
                "arm: end it, or use another ROS_DOMAIN_ID",
            )
        time.sleep(POLL_S)


def _others(node: Node, topic: str) -> list[str]:
    names = [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in node.get_publishers_info_by_topic(topic)]
    own = node.get_fully_qualified_name()
    if own in names:
        names.remove(own)
    return names
