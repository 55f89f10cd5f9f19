"""The gate node itself, in its own process, between real topics: a small arm follows what it publishes."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from action_client import SteadyActionClient
from control_msgs.msg import JointTrajectoryControllerState
from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from waiting import answer_of, rest_of, stays, wait_until

from vital_core.arm.trajectory import Trajectory
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode
from vital_interfaces.action import ExecuteTrajectory
from vital_interfaces.msg import EndEffectorDelta, GateState, TactileArray
from vital_interfaces.srv import AcquireControl, ClearStop, Stop
from vital_ros.conversions import duration_message, seconds

PERIOD_S = 1 / 6
PATIENCE_S = 30.0


class ArmNode(Node):
    """A kinematic arm and a quiet tactile pad at 100 Hz, and everything that a client of the gate needs."""

    def __init__(self, context: rclpy.Context) -> None:
        super().__init__("arm", context=context)
        self.trajectory, self.start_s = Trajectory.rest(HOME_RAD), time.monotonic()
        self.arm_messages: list[JointTrajectory] = []
        self.gripper_messages: list[JointTrajectory] = []
        self.states: list[GateState] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.field_ut, self.sensors, self.seq, self.token = np.zeros(15), True, 0, 0
        self.misread_rad = np.zeros(7)
        self.joint_states = self.create_publisher(JointState, "/joint_states", 10)
        self.reference = self.create_publisher(
            JointTrajectoryControllerState, "/xarm7_traj_controller/controller_state", 10
        )
        self.tactile = self.create_publisher(TactileArray, "/anyskin/tactile", qos_profile_sensor_data)
        self.command = self.create_publisher(EndEffectorDelta, "/vital/command", 1)
        self.listen("/xarm7_traj_controller/joint_trajectory", JointTrajectory, self.follow)
        self.listen("/xarm_gripper_traj_controller/joint_trajectory", JointTrajectory, self.gripper_messages.append)
        self.listen("/diagnostics", DiagnosticArray, self.diagnostics.append)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(GateState, "/vital/gate_state", self.states.append, latched)
        self.create_timer(0.01, self.sense)
        self.acquire = self.create_client(AcquireControl, "/vital/acquire_control")
        self.stop = self.create_client(Stop, "/vital/stop")
        self.clear = self.create_client(ClearStop, "/vital/clear_stop")
        self.execute = SteadyActionClient(self, ExecuteTrajectory, "/vital/execute_trajectory")

    def listen(self, topic: str, kind: type, callback: Callable) -> None:
        self.create_subscription(kind, topic, callback, 10)

    def follow(self, message: JointTrajectory) -> None:
        self.arm_messages.append(message)
        now_s = time.monotonic()
        q, v = self.trajectory.state(now_s - self.start_s)
        times = [0.0] + [seconds(p.time_from_start) for p in message.points]
        positions = [q] + [np.array(p.positions) for p in message.points]
        velocities = [v] + [np.array(p.velocities) for p in message.points]
        self.trajectory, self.start_s = Trajectory(np.array(times), np.array(positions), np.array(velocities)), now_s

    def joints(self) -> np.ndarray:
        return self.trajectory.state(time.monotonic() - self.start_s)[0]

    def sense(self) -> None:
        if not self.sensors:
            return
        joints = self.joints()
        reference = JointTrajectoryControllerState(joint_names=list(JOINT_NAMES))
        reference.reference.positions = joints.tolist()
        self.reference.publish(reference)
        measured = (joints + self.misread_rad).tolist()
        message = JointState(name=[*JOINT_NAMES, "drive_joint"], position=[*measured, 0.0])
        message.header.stamp = self.get_clock().now().to_msg()
        self.joint_states.publish(message)
        self.tactile.publish(TactileArray(magnetometers=5, field_ut=self.field_ut.tolist(), valid=[True] * 5))

    def ask(self, client, **request):
        assert client.wait_for_service(PATIENCE_S)
        return answer_of(client.call_async(client.srv_type.Request(**request)))

    def send(self, x_m: float = 0.005, owner: str = "policy", duration_s: float = PERIOD_S) -> int:
        self.seq += 1
        now = self.get_clock().now()
        message = EndEffectorDelta(owner=owner, token=self.token, seq=self.seq, duration_s=duration_s, gripper=1.0)
        message.header.stamp, message.header.frame_id = now.to_msg(), "link_tcp"
        message.valid_until = (now + rclpy.duration.Duration(seconds=0.2)).to_msg()
        message.translation_m.x = x_m
        self.command.publish(message)
        return self.seq

    def judged(self, seq: int) -> GateState:
        """The state that carries the verdict on a command."""
        wait_until(lambda: any(s.seq == seq for s in list(self.states)))
        return next(s for s in list(self.states) if s.seq == seq)

    def wait_for_motion(self, least_rad: float = 0.003) -> None:
        """Until a joint is on its way from where it is now."""
        start = self.joints()
        wait_until(lambda: np.abs(self.joints() - start).max() > least_rad, "motion")

    def wait_for_mode(self, mode: int) -> GateState:
        wait_until(lambda: self.states and self.states[-1].mode == mode)
        return self.states[-1]

    def run_trajectory(self, goal_rad: np.ndarray, duration_s: float = 1.5) -> ExecuteTrajectory.Result:
        handle = self.start_trajectory(goal_rad, duration_s)
        return answer_of(handle.get_result_async()).result

    def start_trajectory(self, goal_rad: np.ndarray, duration_s: float, valid_s: float = 5.0):
        t = np.linspace(0.0, duration_s, 31)
        s = t / duration_s
        start = self.joints()
        way = start + np.outer(s**3 * (10 - 15 * s + 6 * s**2), goal_rad - start)
        points = [
            JointTrajectoryPoint(positions=q.tolist(), time_from_start=duration_message(float(ti)))
            for ti, q in zip(t, way, strict=True)
        ]
        goal = ExecuteTrajectory.Goal(owner="reach", token=self.token)
        goal.valid_until = (self.get_clock().now() + rclpy.duration.Duration(seconds=valid_s)).to_msg()
        goal.trajectory = JointTrajectory(joint_names=list(JOINT_NAMES), points=points)
        assert self.execute.wait_for_server(PATIENCE_S)
        accepted = self.execute.send_goal_async(goal)
        return answer_of(accepted)


@pytest.fixture(scope="module")
def domain() -> int:
    """A ROS domain of this module's own."""
    return own_domain()


@pytest.fixture
def gate(domain: int) -> Iterator[subprocess.Popen]:
    """The gate in its own process."""
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    process = subprocess.Popen(
        [sys.executable, "-m", "vital_control.gate_node"], env=environment, stderr=subprocess.PIPE, text=True
    )
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


@pytest.fixture
def arm(domain: int, gate: subprocess.Popen) -> Iterator[ArmNode]:
    """The arm, spinning in a thread, with the gate up and seeing it."""
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    context = rclpy.Context()
    context.init(domain_id=domain)
    node = ArmNode(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin() -> None:
        with contextlib.suppress(ExternalShutdownException, RCLError):
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    wait_until(lambda: node.states and node.states[-1].joint_state_age_s < 0.1 and node.states[-1].tactile_age_s < 0.1)
    yield node
    context.try_shutdown()
    thread.join(5.0)
    node.destroy_node()


def own(arm: ArmNode, owner: str = "policy", task: str = "usb_insertion") -> None:
    answer = arm.ask(arm.acquire, owner=owner, task=task)
    assert answer.granted and answer.current_owner == owner and answer.token, answer
    arm.token = answer.token


def test_gate_moves_holds_refuses_stops_and_clears(arm: ArmNode, gate: subprocess.Popen) -> None:
    """One story through one process: each step would fail without its part of the gate."""
    assert arm.judged(arm.send()).verdict == GateState.NOT_OWNER
    assert arm.arm_messages == []

    answer = arm.ask(arm.acquire, owner="policy", task="usb_insertoin")
    assert not answer.granted and answer.error_code == ErrorCode.UNKNOWN_TASK and "usb_insertion" in answer.message
    own(arm)
    answer = arm.ask(arm.acquire, owner="reach")
    assert not answer.granted and answer.error_code == ErrorCode.NOT_OWNER and answer.current_owner == "policy"

    start = arm.joints()
    for _ in range(4):
        assert arm.judged(arm.send()).verdict == GateState.ACCEPTED
        time.sleep(PERIOD_S)
    assert arm.states[-1].mode == GateState.MOVING
    assert all(np.allclose(m.points[-1].velocities, 0.0) for m in arm.arm_messages)
    assert len(arm.gripper_messages) == 1 and arm.gripper_messages[0].joint_names == ["drive_joint"]

    state = arm.wait_for_mode(GateState.HOLDING)
    assert (state.owner, state.holds, state.accepted, state.rejected) == ("policy", 1, 4, 1)
    assert np.abs(arm.joints() - start).max() > 0.02
    assert arm.judged(arm.send(x_m=0.2)).verdict == GateState.STEP_TOO_LARGE
    assert arm.judged(arm.send(owner="teleop")).verdict == GateState.NOT_OWNER

    arm.send(x_m=0.02, duration_s=1.0)
    arm.wait_for_mode(GateState.MOVING)
    arm.wait_for_motion()
    assert arm.ask(arm.stop, reason="test").success
    state = arm.wait_for_mode(GateState.LATCHED)
    assert (state.stop_code, state.stop_reason) == (ErrorCode.STOPPED, "test")
    stopped = rest_of(arm.joints)
    assert arm.judged(arm.send()).verdict == GateState.STOPPED
    np.testing.assert_array_equal(rest_of(arm.joints), stopped)
    assert not arm.ask(arm.clear, operator_name="").success
    assert arm.ask(arm.clear, operator_name="Ada").success
    assert arm.wait_for_mode(GateState.IDLE).owner == ""

    wait_until(lambda: any("refused STEP_TOO_LARGE" in str(d) for d in list(arm.diagnostics)))
    assert gate.poll() is None


def test_touch_beyond_the_limit_latches_the_gate(arm: ArmNode) -> None:
    own(arm)
    arm.field_ut = np.full(15, 3000.0)
    state = arm.wait_for_mode(GateState.LATCHED)
    assert state.stop_code == ErrorCode.FORCE_LIMIT and state.tactile_peak_ut > state.tactile_limit_ut > 0.0


def test_lost_sensors_refuse_commands(arm: ArmNode) -> None:
    own(arm)
    arm.sensors = False
    wait_until(lambda: arm.judged(arm.send()).verdict == GateState.NO_JOINT_STATE)


def test_trajectory_right_after_a_change_of_hands_waits_for_the_arm_to_rest(arm: ArmNode) -> None:
    own(arm)
    arm.send(x_m=0.02, duration_s=1.0)
    arm.wait_for_mode(GateState.MOVING)
    arm.wait_for_motion()
    assert arm.ask(arm.acquire, owner="policy", token=arm.token, release=True).granted
    own(arm, "reach")
    result = arm.run_trajectory(arm.joints())
    assert result.success, result


def test_a_trajectory_that_waits_for_rest_can_be_cancelled_and_never_begins(arm: ArmNode) -> None:
    own(arm)
    arm.send(x_m=0.02, duration_s=1.0)
    arm.wait_for_mode(GateState.MOVING)
    assert arm.ask(arm.acquire, owner="policy", token=arm.token, release=True).granted
    own(arm, "reach")
    handle = arm.start_trajectory(HOME_RAD + 0.1, 4.0)
    cancelled, ended = handle.cancel_goal_async(), handle.get_result_async()
    assert answer_of(cancelled).goals_canceling
    assert answer_of(ended).result.error_code == ErrorCode.CANCELLED
    rest = rest_of(arm.joints)
    stays(lambda: np.array_equal(arm.joints(), rest), 0.3, "the arm's rest")
    np.testing.assert_array_equal(arm.joints(), rest)


def test_trajectory_action_is_carried_out_refused_and_cancelled(arm: ArmNode) -> None:
    goal = HOME_RAD + np.array([0.1, 0.02, 0.0, 0.05, 0.0, 0.0, 0.1])
    result = arm.run_trajectory(goal)
    assert not result.success and result.verdict == GateState.NOT_OWNER and "acquire_control" in result.message
    own(arm, "reach")
    result = arm.run_trajectory(goal)
    assert result.success and result.error_code == ErrorCode.OK, result
    np.testing.assert_allclose(arm.joints(), goal, atol=1e-4)
    handle = arm.start_trajectory(goal, 1.5, valid_s=-1.0)
    late = handle.get_result_async()
    assert answer_of(late).result.verdict == GateState.STALE
    result = arm.run_trajectory(goal + np.array([2.0, 0, 0, 0, 0, 0, 0]), 6.0)
    assert not result.success and result.verdict == GateState.OUT_OF_BOX
    assert result.error_code == ErrorCode.GATE_REFUSED and "box" in result.message

    handle = arm.start_trajectory(HOME_RAD, 4.0)
    arm.wait_for_motion()
    cancelled = handle.cancel_goal_async()
    wait_until(cancelled.done)
    ended = handle.get_result_async()
    assert answer_of(ended).result.error_code == ErrorCode.CANCELLED
    assert arm.wait_for_mode(GateState.HOLDING).owner == "reach"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_gate_that_is_ended_leaves_the_arm_at_rest(
    arm: ArmNode, gate: subprocess.Popen, number: signal.Signals
) -> None:
    own(arm)
    arm.send(x_m=0.03, duration_s=1.0)
    arm.wait_for_mode(GateState.MOVING)
    arm.wait_for_motion()
    before = len(arm.arm_messages)
    gate.send_signal(number)
    assert gate.wait(5.0) == 0
    wait_until(lambda: len(arm.arm_messages) > before)
    stop = arm.arm_messages[-1]
    assert seconds(stop.points[-1].time_from_start) < 0.3
    np.testing.assert_allclose(stop.points[-1].velocities, 0.0)
    rest = rest_of(arm.joints)
    stays(lambda: np.array_equal(arm.joints(), rest), 0.2, "the arm's rest")


def test_dead_gate_leaves_the_arm_at_rest(arm: ArmNode, gate: subprocess.Popen) -> None:
    own(arm)
    arm.send(x_m=0.02)
    arm.wait_for_mode(GateState.MOVING)
    gate.kill()
    rest = rest_of(arm.joints, timeout_s=1.0)
    stays(lambda: np.array_equal(arm.joints(), rest), 0.2, "the arm's rest")


def test_arm_that_nobody_owns_is_not_sent_to_where_joint_states_say(arm: ArmNode, gate: subprocess.Popen) -> None:
    arm.misread_rad = -arm.joints()
    state = arm.wait_for_mode(GateState.LATCHED)
    assert state.stop_code == ErrorCode.ARM_DISPLACED and "rad apart" in state.stop_reason
    assert arm.arm_messages == []
    refused = arm.ask(arm.clear, operator_name="Ada")
    assert not refused.success and refused.error_code == ErrorCode.ARM_DISPLACED and "deactivate" in refused.message
    arm.misread_rad = np.zeros(7)
    wait_until(lambda: arm.ask(arm.clear, operator_name="Ada").success)
    assert arm.wait_for_mode(GateState.IDLE) and arm.arm_messages == []


def test_second_publisher_and_second_node_of_a_name_are_named(arm: ArmNode, gate: subprocess.Popen) -> None:
    other = Node("arm", context=arm.context)
    other.create_publisher(JointState, "/joint_states", 1)
    said = re.compile(r"\d publishers on /joint_states, expected one; .*\d nodes are called /arm")
    wait_until(lambda: any(said.search(d.status[0].message) for d in list(arm.diagnostics)))
    other.destroy_node()


def test_token_is_in_no_state_and_no_log(arm: ArmNode, gate: subprocess.Popen) -> None:
    own(arm)
    token = str(arm.token)
    arm.judged(arm.send())
    arm.token ^= 1
    assert arm.judged(arm.send()).verdict == GateState.NOT_OWNER
    wait_until(lambda: any("refused NOT_OWNER" in str(d) for d in list(arm.diagnostics)))
    assert not any(token in str(m) for m in [*arm.states, *arm.diagnostics])
    gate.send_signal(signal.SIGINT)
    assert token not in gate.communicate(timeout=10)[1]


def test_gate_that_was_frozen_holds_says_so_and_leaves_the_arm_at_rest_meanwhile(
    arm: ArmNode, gate: subprocess.Popen
) -> None:
    own(arm, "reach")
    handle = arm.start_trajectory(HOME_RAD + np.array([0.4, 0.0, 0.0, 0.2, 0.0, 0.2, 0.0]), 8.0)
    wait_until(lambda: len(arm.arm_messages) > 3)
    gate.send_signal(signal.SIGSTOP)
    rest = rest_of(arm.joints, for_s=0.5)
    gate.send_signal(signal.SIGCONT)
    ended = handle.get_result_async()
    assert answer_of(ended).result.error_code == ErrorCode.NODE_LOST
    assert "stood still" in arm.wait_for_mode(GateState.HOLDING).hold_reason
    np.testing.assert_allclose(arm.joints(), rest, atol=1e-6)


def test_bad_parameter_ends_the_gate_with_one_line(domain: int) -> None:
    for parameter in ("max_joint_speed_rad_s:=9.0", "max_joint_speed_rad_s:=fast", "task:=nothing"):
        done = subprocess.run(
            [sys.executable, "-m", "vital_control.gate_node", "--ros-args", "-p", parameter],
            env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 2, done
        assert "Traceback" not in done.stderr and "FATAL" in done.stderr
