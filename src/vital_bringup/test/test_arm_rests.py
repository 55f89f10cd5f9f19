"""However a running system is ended, the arm comes to rest and no process stays.

The joint velocities are recorded from outside of the system, until the last of them.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from action_client import SteadyActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_interfaces.action import ExecuteTrajectory
from vital_interfaces.msg import GateState
from vital_interfaces.srv import AcquireControl

DOMAIN = own_domain()
PATIENCE_S = 90.0
MOVING_RAD_S, REST_RAD_S = 0.1, 0.02
REST_WITHIN_S = 1.0
GONE_WITHIN_S = 10.0  # on a machine that is busy with other tests
ARM = """
from launch import LaunchDescription
from launch.actions import OpaqueFunction
from vital_bringup.launching import launch_parts as parts
from vital_bringup.launching.launch_arguments import declared

def setup(context):
    parts.hold_domain(context)
    gate = parts.project_node("gate_node", "vital_control", {"task": "usb_insertion", **parts.gate_parameters(context)})
    nodes = [*parts.sim_nodes(context), gate]
    return [*parts.network_actions(context), *parts.required_nodes(nodes), *nodes]

def generate_launch_description():
    seed = ("seed", "0", "of the scene", None)
    return LaunchDescription([*declared((*parts.COMMON_ARGUMENTS, seed)), OpaqueFunction(function=setup)])
"""


class Watcher(Node):
    """Records joint velocities and the gate's states, and can move the arm."""

    def __init__(self, context: rclpy.Context) -> None:
        super().__init__("watcher", context=context)
        self.times_s: list[float] = []
        self.speeds_rad_s: list[float] = []
        self.owner, self.gate_sees_all = "", False
        self.create_subscription(JointState, "/joint_states", self._on_joints, qos_profile_sensor_data)
        self.create_subscription(GateState, "/vital/gate_state", self._on_gate, 10)
        self.acquire = self.create_client(AcquireControl, "/vital/acquire_control")
        self.execute = SteadyActionClient(self, ExecuteTrajectory, "/vital/execute_trajectory")

    def _on_joints(self, message: JointState) -> None:
        self.times_s.append(time.monotonic())
        self.speeds_rad_s.append(float(np.abs(message.velocity[:7]).max()))

    def _on_gate(self, message: GateState) -> None:
        self.owner = message.owner
        self.gate_sees_all = all(0.0 <= age_s < 0.2 for age_s in (message.joint_state_age_s, message.tactile_age_s))

    def moving(self) -> bool:
        return bool(self.speeds_rad_s) and self.speeds_rad_s[-1] > MOVING_RAD_S


class System:
    """A launch in a session of its own, and the watcher beside it."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.watcher = Watcher(self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.watcher)
        self.log = folder / "log.txt"
        self.process = subprocess.Popen(
            ["ros2", "launch", "-n", *command],
            env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)},
            cwd=folder,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def spin_until(self, true: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, f"{what}\n{self.log.read_text()[-3000:]}"
            self.executor.spin_once(timeout_sec=0.02)

    def ask(self, future):
        self.spin_until(future.done, "no answer")
        return future.result()

    def move(self) -> None:
        """Begin a long way, of 3 s, and return in its midst."""
        watcher = self.watcher
        self.spin_until(lambda: watcher.gate_sees_all and bool(watcher.times_s), "the arm did not come up")
        self.spin_until(watcher.acquire.service_is_ready, "the gate did not come up")
        self.spin_until(watcher.execute.server_is_ready, "the gate did not come up")
        granted = self.ask(watcher.acquire.call_async(AcquireControl.Request(owner="reset", task="usb_insertion")))
        assert granted.granted, granted.message
        goal = ExecuteTrajectory.Goal(owner="reset", token=granted.token, trajectory=the_way())
        goal.valid_until.sec = int(time.time()) + 60
        assert self.ask(watcher.execute.send_goal_async(goal)).accepted
        self.spin_until(watcher.moving, "the arm does not move")

    def processes(self) -> dict[int, str]:
        """The living processes of the launch's session, by their ids."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def kill(self, part: str, number: int) -> None:
        """A signal to the launch, or to the process whose executable is ``part``."""
        if part == "launch":
            self.process.send_signal(number)
            return
        pids = [pid for pid, command in self.processes().items() if f"/{part} " in command]
        assert len(pids) == 1, f"{part} is {pids} of {self.processes()}\n{self.log.read_text()}"
        # Between two joint states: a process that is killed while it takes a message out of Fast DDS's shared memory
        # leaves a lock behind, on which every publisher to it, the simulator too, waits for 1 to 3 s.
        seen = len(self.watcher.times_s)
        self.spin_until(lambda: len(self.watcher.times_s) > seen, "no joint states")
        time.sleep(0.005)
        os.kill(pids[0], number)

    def assert_it_ends_at_rest(self, *, with_arm: bool = True) -> None:
        """From now on: the arm at rest in time and until its last word, then no process and no file left."""
        at_s, before = time.monotonic(), len(self.watcher.times_s)
        self.spin_until(lambda: self.process.poll() is not None, "the launch goes on", GONE_WITHIN_S)
        self.spin_until(lambda: not self.processes(), f"left: {self.processes()}", GONE_WITHIN_S)
        times = np.array(self.watcher.times_s[before:]) - at_s
        speeds = np.array(self.watcher.speeds_rad_s[before:])
        if with_arm:
            assert len(speeds) and speeds[-1] < REST_RAD_S, f"last seen at {speeds[-1:]} rad/s: {self.log.read_text()}"
            last_motion_s = times[speeds >= REST_RAD_S].max(initial=0.0)
            assert last_motion_s < REST_WITHIN_S, f"at rest after {last_motion_s:.2f} s"
        assert not list(self.log.parent.glob("launch_params_*")), "parameter files are left"
        assert "Traceback" not in self.log.read_text(), self.log.read_text()

    def end(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.executor.shutdown()
        self.watcher.destroy_node()
        rclpy.shutdown(context=self.context)


def the_way() -> JointTrajectory:
    """Joint 1 by 0.4 rad in 3 s, along a smooth curve."""
    trajectory = JointTrajectory(joint_names=list(JOINT_NAMES))
    for s in np.linspace(0.0, 1.0, 41):
        joints, speeds = HOME_RAD.copy(), np.zeros(7)
        joints[0] -= 0.4 * (3 * s**2 - 2 * s**3)
        speeds[0] -= 0.4 * (6 * s - 6 * s**2) / 3.0
        point = JointTrajectoryPoint(positions=joints.tolist(), velocities=speeds.tolist())
        point.time_from_start.sec, point.time_from_start.nanosec = int(3 * s), int((3 * s) % 1.0 * 1e9)
        trajectory.points.append(point)
    return trajectory


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., System]]:
    started: list[System] = []

    def start(*command: str) -> System:
        started.append(System(tmp_path, *command))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("launch", signal.SIGINT),
        ("launch", signal.SIGTERM),
        pytest.param("launch", signal.SIGHUP, marks=pytest.mark.slow),
        ("launch", signal.SIGKILL),
        ("gate_node", signal.SIGKILL),
    ],
)
def test_arm_rests_and_every_process_goes(launch, tmp_path, part, number):
    file = tmp_path / "arm.launch.py"
    file.write_text(ARM)
    system = launch(str(file))
    system.move()
    system.kill(part, number)
    system.assert_it_ends_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("launch", signal.SIGINT),
        ("launch", signal.SIGTERM),
        ("launch", signal.SIGHUP),
        ("launch", signal.SIGKILL),
        ("gate_node", signal.SIGKILL),
        ("policy_node", signal.SIGKILL),
        ("sim_node", signal.SIGKILL),
    ],
)
def test_deployment_whose_policy_moves_the_arm_ends_at_rest(launch, part, number):
    system = launch("vital_bringup", "deploy.launch.py", "report:=report.json")
    system.spin_until(lambda: system.watcher.owner == "policy" and system.watcher.moving(), "no policy at work")
    system.kill(part, number)
    system.assert_it_ends_at_rest(with_arm=part != "sim_node")
