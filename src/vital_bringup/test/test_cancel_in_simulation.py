"""A task cancelled in the whole simulated system: the arm is at rest within a second, by its joints' own velocities."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from action_client import SteadyActionClient
from action_msgs.msg import GoalStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import JointState
from waiting import answer_of, wait_until

from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode
from vital_interfaces.action import ReachTarget, RunPolicy, RunTask
from vital_interfaces.srv import LocalizeTarget, ResetScene
from vital_ros.gate_watch import GateWatch

pytestmark = pytest.mark.slow
UP_S = 120.0
# What the simulated arm's joints do at rest is well below, what a task's motion does well above.
AT_REST_RAD_S, MOVING_RAD_S = 0.02, 0.06


class Person(Node):
    """Asks for tasks, cancels them, and watches the joints."""

    def __init__(self) -> None:
        super().__init__("person")
        self.velocities: list[tuple[float, float]] = []
        self.phase = ""
        self.watch = GateWatch(self)
        self.task = SteadyActionClient(self, RunTask, "/vital/run_task")
        self.reset = self.create_client(ResetScene, "/vital/reset_scene")
        self.needed = [
            SteadyActionClient(self, ReachTarget, "/vital/reach_target"),
            SteadyActionClient(self, RunPolicy, "/vital/run_policy"),
        ]
        self.pointing = self.create_client(LocalizeTarget, "/vital/localize_target")
        self.create_subscription(JointState, "/joint_states", self._on_joints, qos_profile_sensor_data)

    def _on_joints(self, message: JointState) -> None:
        by_name = dict(zip(message.name, message.velocity, strict=False))
        self.velocities.append((time.monotonic(), max(abs(by_name[name]) for name in JOINT_NAMES)))

    def fastest_rad_s(self, since_s: float) -> float:
        return max((v for t, v in list(self.velocities) if t >= since_s), default=np.nan)

    def on_feedback(self, message) -> None:
        self.phase = message.feedback.phase


@pytest.fixture(scope="module")
def person(tmp_path_factory) -> Iterator[Person]:
    folder: Path = tmp_path_factory.mktemp("cancel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(own_domain(1)))
        patch.setenv("ROS_LOG_DIR", str(folder / "log"))
        log = (folder / "launch.txt").open("w+")
        command = ["ros2", "launch", "-n", "vital_bringup", "deploy.launch.py", "trials:=0"]
        system = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        rclpy.init()
        node, executor, stopping = Person(), SingleThreadedExecutor(), threading.Event()
        executor.add_node(node)

        def spin() -> None:
            while not stopping.is_set():
                executor.spin_once(timeout_sec=0.1)

        thread = threading.Thread(target=spin, daemon=True)
        thread.start()
        try:
            wait_until(
                lambda: all(client.server_is_ready() for client in (node.task, *node.needed)), "the skills", UP_S
            )
            wait_until(lambda: node.pointing.service_is_ready() and node.reset.service_is_ready(), "the services", UP_S)
            wait_until(lambda: node.watch.knows_the_arm, "the arm", UP_S)
            yield node
        finally:
            system.send_signal(signal.SIGINT)
            code = system.wait(60.0)
            stopping.set()
            thread.join(5.0)
            node.destroy_node()
            rclpy.try_shutdown()
    log.seek(0)
    assert code == 0 and "Traceback" not in log.read()


@pytest.mark.parametrize("phase", ["reach", "policy"])
@pytest.mark.parametrize("trial", range(3))
def test_arm_is_at_rest_within_a_second_of_a_cancel_and_stays_there(person: Person, phase: str, trial: int):
    assert answer_of(person.reset.call_async(ResetScene.Request(task="usb_insertion", seed=1000 + trial))).success
    person.phase = ""
    handle = answer_of(
        person.task.send_goal_async(RunTask.Goal(task="usb_insertion", seed=1000 + trial), person.on_feedback)
    )
    result = handle.get_result_async()
    wait_until(lambda: person.phase == phase or result.done(), phase, 60.0)
    assert not result.done(), result.result().result.report
    entered_s = time.monotonic()
    wait_until(lambda: person.fastest_rad_s(entered_s + 0.3) > MOVING_RAD_S or result.done(), "motion", 30.0)
    cancelled_s = time.monotonic()
    assert answer_of(handle.cancel_goal_async()).goals_canceling
    answer = answer_of(result)
    took_s = time.monotonic() - cancelled_s
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert (answer.result.report.error_code, answer.result.report.phase) == (int(ErrorCode.CANCELLED), phase)
    wait_until(lambda: time.monotonic() > cancelled_s + 2.0, "two seconds", 5.0)
    fastest = person.fastest_rad_s(cancelled_s + 1.0)
    print(f"{phase}: result after {took_s:.2f} s, then at most {fastest:.4f} rad/s")
    assert took_s < 1.0 and fastest < AT_REST_RAD_S
    assert person.watch.stop is None
