"""The simulation node over real DDS."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm.xarm7 import GRIPPER_CLOSED_RAD, GRIPPER_JOINT, HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode
from vital_interfaces.msg import SimTruth, TactileArray
from vital_interfaces.srv import ResetScene, TakeBaseline
from vital_ros.message_check import stamp_ns

DOMAIN = str(own_domain())
ENVIRONMENT = {**os.environ, "ROS_DOMAIN_ID": DOMAIN}
PATIENCE_S = 90.0  # with a start on a busy machine
COMMAND = [sys.executable, "-m", "vital_sim.ros.sim_node", "--ros-args"]


class Listener(Node):
    def __init__(self, context):
        super().__init__("listener", context=context)
        self.latest, self.counts = {}, {}
        for kind, topic in (
            (JointState, "/joint_states"),
            (Image, "/wrist_camera/image_raw"),
            (TactileArray, "/anyskin/tactile"),
            (Image, "/camera/camera/aligned_depth_to_color/image_raw"),
            (SimTruth, "/sim/truth"),
        ):
            self.create_subscription(kind, topic, lambda m, t=topic: self.take(t, m), qos_profile_sensor_data)
        self.trajectory = self.create_publisher(JointTrajectory, "/xarm7_traj_controller/joint_trajectory", 1)
        self.gripper = self.create_publisher(JointTrajectory, "/xarm_gripper_traj_controller/joint_trajectory", 1)
        self.reset = self.create_client(ResetScene, "/vital/reset_scene")
        self.baseline = self.create_client(TakeBaseline, "/anyskin/take_baseline")

    def take(self, topic, message):
        self.latest[topic] = message
        self.counts[topic] = self.counts.get(topic, 0) + 1


class Talk:
    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=int(DOMAIN))
        self.node = Listener(self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def spin(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.executor.spin_once(timeout_sec=0.05)
        return until()

    def newest(self, topic):
        """The first message that was sent from now on."""
        now_ns = self.node.get_clock().now().nanoseconds
        assert self.spin(30.0, lambda: stamp_ns(self.node.latest[topic].header.stamp) > now_ns), topic
        return self.node.latest[topic]

    def call(self, client, request):
        assert client.wait_for_service(30.0)
        future = client.call_async(request)
        assert self.spin(20.0, future.done)
        return future.result()


@pytest.fixture(scope="module")
def talk():
    process = subprocess.Popen(COMMAND, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    talk = Talk()
    try:
        assert talk.spin(PATIENCE_S, lambda: len(talk.node.latest) == 5), f"only {sorted(talk.node.latest)} came"
        yield talk
    finally:
        talk.executor.shutdown()
        talk.node.destroy_node()
        rclpy.shutdown(context=talk.context)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
        assert process.returncode == 0 and "Traceback" not in errors


def test_every_sensor_keeps_coming(talk):
    talk.node.counts.clear()
    least = {
        "/wrist_camera/image_raw": 20,
        "/joint_states": 100,
        "/anyskin/tactile": 100,
        "/camera/camera/aligned_depth_to_color/image_raw": 4,
        "/sim/truth": 50,
    }
    counts = talk.node.counts
    assert talk.spin(60.0, lambda: all(counts.get(name, 0) >= n for name, n in least.items())), counts
    assert counts["/joint_states"] > counts["/wrist_camera/image_raw"]


def test_arm_follows_a_trajectory_and_stays_at_its_end(talk):
    goal = HOME_RAD + 0.1
    point = JointTrajectoryPoint(positions=goal.tolist())
    point.time_from_start.sec = 1
    talk.node.trajectory.publish(JointTrajectory(joint_names=list(JOINT_NAMES), points=[point]))
    arrived = talk.spin(
        30.0, lambda: np.abs(np.array(talk.node.latest["/joint_states"].position[:7]) - goal).max() < 2e-3
    )
    assert arrived


def test_malformed_trajectory_moves_nothing(talk):
    before = np.array(talk.node.latest["/joint_states"].position[:7])
    point = JointTrajectoryPoint(positions=[float("nan")] * 7)
    talk.node.trajectory.publish(JointTrajectory(joint_names=list(JOINT_NAMES), points=[point]))
    talk.spin(1.0)
    assert np.abs(np.array(talk.node.latest["/joint_states"].position[:7]) - before).max() < 2e-3


def test_reset_lays_another_scene_with_the_arm_at_home(talk):
    answer = talk.call(talk.node.reset, ResetScene.Request(task="plug_in_socket", seed=9))
    assert answer.success
    truth = talk.newest("/sim/truth")
    assert (truth.task, truth.seed, truth.episode) == ("plug_in_socket", 9, answer.episode)
    assert np.abs(np.array(talk.newest("/joint_states").position[:7]) - HOME_RAD).max() < 2e-3


def test_reset_to_an_unknown_task_is_refused_with_its_code(talk):
    answer = talk.call(talk.node.reset, ResetScene.Request(task="make_coffee", seed=1))
    assert not answer.success and answer.error_code == 10


def test_baseline_is_what_the_tactile_reading_says_at_rest(talk):
    answer = talk.call(talk.node.baseline, TakeBaseline.Request(samples=5))
    reading = talk.newest("/anyskin/tactile")
    assert answer.success and reading.baseline_id == answer.baseline_id
    assert np.abs(np.array(reading.field_ut) - np.array(reading.baseline_ut)).max() < 30.0


@pytest.mark.parametrize(
    ("client", "request_", "word"),
    [
        ("baseline", TakeBaseline.Request(samples=501), "a baseline of 501 readings, expected at most 500"),
        ("reset", ResetScene.Request(seed=-1), "seed is -1, expected 0 or more"),
    ],
)
def test_request_beyond_its_range_is_refused_and_changes_nothing(talk, client, request_, word):
    before = talk.newest("/sim/truth"), talk.newest("/anyskin/tactile")
    answer = talk.call(getattr(talk.node, client), request_)
    assert (answer.success, answer.error_code) == (False, ErrorCode.BAD_PARAMETER) and word in answer.message
    truth, tactile = talk.newest("/sim/truth"), talk.newest("/anyskin/tactile")
    assert (truth.seed, truth.episode) == (before[0].seed, before[0].episode)
    assert tactile.baseline_id == before[1].baseline_id


def test_reset_without_a_task_keeps_the_task_and_counts_on(talk):
    before = talk.newest("/sim/truth")
    answer = talk.call(talk.node.reset, ResetScene.Request(seed=before.seed + 1))
    assert answer.success and answer.episode == before.episode + 1
    truth = talk.newest("/sim/truth")
    assert (truth.task, truth.seed) == (before.task, before.seed + 1)


def test_same_scene_laid_twice_is_the_same_scene(talk):
    laid = []
    for _ in range(2):
        assert talk.call(talk.node.reset, ResetScene.Request(task="key_in_lock", seed=12)).success
        laid.append(talk.newest("/sim/truth").target)
    assert laid[0] == laid[1]


def test_gripper_follows_its_trajectory(talk):
    """Its joint is told with the arm's, 0 rad open."""
    assert talk.call(talk.node.reset, ResetScene.Request(task="pick_block", seed=1)).success
    point = JointTrajectoryPoint(positions=[0.4 * GRIPPER_CLOSED_RAD])
    point.time_from_start.sec = 1

    def at_rad():
        message = talk.node.latest["/joint_states"]
        return dict(zip(message.name, message.position, strict=True))[GRIPPER_JOINT]

    assert talk.spin(30.0, lambda: at_rad() == 0.0)
    talk.node.gripper.publish(JointTrajectory(joint_names=[GRIPPER_JOINT], points=[point]))
    assert talk.spin(30.0, lambda: at_rad() == pytest.approx(0.4 * GRIPPER_CLOSED_RAD, abs=1e-3))


@pytest.mark.parametrize(
    ("parameter", "code"), [("task:=make_coffee", "UNKNOWN_TASK 10"), ("background:=marmalade", "BAD_PARAMETER 11")]
)
def test_scene_that_there_is_not_ends_the_node_with_one_line(parameter, code):
    done = subprocess.run(
        [*COMMAND, "-p", parameter], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 2 and code in done.stderr and "Traceback" not in done.stderr
