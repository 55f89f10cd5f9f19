"""What the reach node has been asked and what came of it, for log, diagnostics and whoever watches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from numpy.typing import NDArray
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from vital_ros.diagnostics import OK, WARN, Health
from vital_ros.qos import LATCHED
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.reach_messages import stamped_point_message, trajectory_message


class ReachJournal:
    """Counts requests, keeps the last one's sentence, and shows the last target and the last planned motion."""

    def __init__(self, node: Node) -> None:
        self._logger, self._clock = node.get_logger(), node.get_clock()
        self._target = node.create_publisher(PointStamped, "/vital/target", LATCHED)
        self._motion = node.create_publisher(JointTrajectory, "/vital/planned_motion", LATCHED)
        self._counts = {"localized": 0, "not_localized": 0, "reached": 0, "not_reached": 0}
        self._last, self._level = "nothing asked yet", OK

    def found(self, point_m: NDArray[np.float64]) -> None:
        """Show where the target (3,) was found, in `link_base`, m."""
        self._target.publish(stamped_point_message(point_m, self._clock.now().to_msg()))

    def planned(self, motion: JointMotion) -> None:
        """Show the motion that the gate is about to be asked for; from any thread."""
        message = trajectory_message(motion)
        message.header.stamp = self._clock.now().to_msg()
        self._motion.publish(message)

    def well(self, counter: str, text: str) -> None:
        """A request that was carried out."""
        self._note(counter, text, OK)
        self._logger.info(text)

    def failed(self, counter: str, text: str) -> None:
        """One that was not."""
        self._note(counter, text, WARN)
        self._logger.warning(text)

    def _note(self, counter: str, text: str, level: Any) -> None:
        self._counts[counter] += 1
        self._last, self._level = text, level

    def health(self, pointing_fault: str, values: Mapping[str, object]) -> Health:
        """pointing_fault: why pointing does not work; empty: it does. values: further figures."""
        figures = {**self._counts, **values}
        if pointing_fault:
            return Health(WARN, f"pointing: {pointing_fault}", figures)
        return Health(self._level, self._last, figures)
