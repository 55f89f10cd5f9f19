"""An independent witness in a process of its own: every trajectory that the arm is sent, joint state and reset.

    python -m vital_bringup.chaos.watching.observer FILE

One JSON object a line, times in s of the steady clock, which all processes of a machine share: when a message was sent,
by its publisher's stamp where that is believable, so that a busy machine does not blur it. Joint states that carry the
joint `LIE` were made up by the campaign and are left out.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vital_bringup.chaos.driver import LIE
from vital_bringup.chaos.watching.recording import JOINTS, RESET, SENT
from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.clock import steady_s
from vital_interfaces.msg import SceneReset
from vital_ros.conversions import seconds
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import EVERY, EVERY_OF_A_SENSOR

BELIEVED_S = 0.5  # on its way


class Observer(Node):
    """Writes what it hears to a file."""

    def __init__(self, file: TextIO) -> None:
        super().__init__("chaos_observer")
        self._file = file
        self.create_subscription(JointState, "/joint_states", self._on_joints, EVERY_OF_A_SENSOR)  # type: ignore[arg-type]
        topic = "/xarm7_traj_controller/joint_trajectory"
        self.create_subscription(JointTrajectory, topic, self._on_sent, EVERY)  # type: ignore[arg-type]
        self.create_subscription(SceneReset, "/vital/scene_reset", self._on_reset, EVERY)  # type: ignore[arg-type]

    def _on_reset(self, message: SceneReset, about: Mapping[str, int]) -> None:
        self._write(RESET, about, episode=message.episode)

    def _write(self, kind: str, about: Mapping[str, int], **values: object) -> None:
        late_s = time.time() - about["source_timestamp"] * 1e-9
        at_s = steady_s() - (late_s if 0.0 <= late_s <= BELIEVED_S else 0.0)
        self._file.write(json.dumps({"kind": kind, "at_s": at_s, **values}) + "\n")
        self._file.flush()

    def _on_joints(self, message: JointState, about: Mapping[str, int]) -> None:
        if LIE in message.name:
            return
        rows = {name: i for i, name in enumerate(message.name)}
        whole = len(message.position) == len(message.velocity) == len(message.name)
        if not whole or not all(name in rows for name in JOINT_NAMES):
            return
        order = [rows[name] for name in JOINT_NAMES]
        self._write(
            JOINTS, about, positions=[message.position[i] for i in order], speeds=[message.velocity[i] for i in order]
        )

    def _on_sent(self, message: JointTrajectory, about: Mapping[str, int]) -> None:
        points = message.points
        self._write(
            SENT,
            about,
            names=list(message.joint_names),
            times_s=[seconds(p.time_from_start) for p in points],
            positions=[list(p.positions) for p in points],
            speeds=[list(p.velocities) for p in points],
        )


def main() -> None:
    """Record into the file that is named until SIGINT or SIGTERM."""
    with Path(sys.argv[1]).open("w") as file:
        code = run_node(lambda: Observer(file))
    exit_with(code)


if __name__ == "__main__":
    main()
