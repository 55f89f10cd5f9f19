"""Nobody but one command gate moves the arm of a ROS domain, whichever machine or namespace the other runs on."""

import time

from rclpy.node import Node

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_ros.process.domain_lock import DomainLock, Sole

LEAVING_S = 2.5  # one that is just coming to its end is waited for
POLL_S = 0.05


def become_sole_mover(node: Node, topic: str, look_s: float) -> DomainLock:
    """Make ``node``, which has its publisher on ``topic`` already, the one that moves the arm while the lock is held.

    On this machine a lock tells, at once; of others DDS does, which is asked for ``look_s``. Of two that start at the
    same moment on two machines each sees the other. One that was killed holds nothing and announces itself to nobody.
    Raises VitalError(BUSY) naming who is there.
    """
    start_s = steady_s()
    lock = _locked(node, start_s + LEAVING_S)
    while True:
        others = _others(node, topic)
        passed_s = steady_s() - start_s
        if passed_s >= look_s and not others:
            return lock
        if passed_s >= max(look_s, LEAVING_S):
            lock.release()
            raise VitalError(
                ErrorCode.BUSY,
                f"{' and '.join(others)} publishes on {topic} in this ROS domain already, and one alone may move the "
                "arm: end it, or use another ROS_DOMAIN_ID",
            )
        time.sleep(POLL_S)


def _locked(node: Node, until_s: float) -> DomainLock:
    while True:
        try:
            return DomainLock(node.context.get_domain_id(), node.get_fully_qualified_name(), Sole.GATE)
        except VitalError:
            if steady_s() >= until_s:
                raise
        time.sleep(POLL_S)


def _others(node: Node, topic: str) -> list[str]:
    names = [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in node.get_publishers_info_by_topic(topic)]
    own = node.get_fully_qualified_name()
    if own in names:
        names.remove(own)
    return names
