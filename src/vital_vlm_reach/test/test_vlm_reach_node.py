"""The node over real DDS: a camera, an arm and a gate here, the node in a process of its own."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
import rclpy
from action_client import SteadyActionClient
from action_msgs.msg import GoalStatus
from depth_scenes import depth_of
from diagnostic_msgs.msg import DiagnosticArray
from fake_gate import FakeGate
from geometry_msgs.msg import PointStamped, TransformStamped
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from threaded_action import ThreadedAction
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray
from waiting import answer_of, rest_of, wait_until

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode
from vital_core.files.calibration_file import write_calibration
from vital_core.files.camera_mounting import write_mounting
from vital_core.files.date_text import now
from vital_core.target import Target, TargetYaw, hand_yaw_rad
from vital_core.task import load_task
from vital_interfaces.action import ExecuteTrajectory, ReachTarget
from vital_interfaces.msg import GateState
from vital_interfaces.srv import LocalizeTarget
from vital_ros.image_message import to_message
from vital_ros.long_action import GoalEnd
from vital_ros.qos import IMAGES, LATCHED, as_offered
from vital_ros.target_message import target_message, target_of
from vital_vlm_reach.localisation.camera import Camera
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel
from vital_vlm_reach.reach_messages import motion_of

OPTICAL = "camera_color_optical_frame"
SOCKET = np.array([0.46, -0.02, 0.035])
# 0.9 m from the socket, looking down at it.
T_BASE_CAMERA = pose_of.from_rpy((1.0, 0.0, 0.75), (np.deg2rad(-143), 0.0, np.pi / 2))
K = np.array([[610.0, 0, 320], [0, 610.0, 240], [0, 0, 1]])

# The node with a model that points at the reddest spot, unless asked for a banana.
NODE = """
import sys
import time
import numpy as np
from vital_ros.process.node_main import run_node
from vital_vlm_reach.pointing import Pointing
from vital_vlm_reach.vlm_reach_node import VlmReachNode

class Reddest:
    def point(self, rgb, prompt):
        if "banana" in prompt:
            return Pointing(None, 0.02, "no banana in view")
        if "crash" in prompt:
            raise RuntimeError("the model broke")
        rows, columns = np.nonzero(rgb[..., 0] > 200)
        return Pointing((float(columns.mean()), float(rows.mean())), 0.97, "USB port")

class Thinking:
    # Plans the seed 99 for three seconds, whoever cancels.
    def __init__(self, planner):
        self._planner = planner
    def plan(self, problem, cancelled):
        if problem.seed == 99:
            print("thinking", file=sys.stderr, flush=True)
            time.sleep(3.0)
        return self._planner.plan(problem, cancelled)
    def retreat(self, problem):
        return self._planner.retreat(problem)

def make():
    node = VlmReachNode(pointing=Reddest())
    node._planner._planner = Thinking(node._planner._planner)
    return node

sys.exit(run_node(make))
"""


class Bench(Node):
    """An RGB-D camera over a red socket, an arm that follows trajectories, and a gate that can be told to refuse."""

    def __init__(self, context: Context) -> None:
        super().__init__("bench", context=context)
        self.joints = HOME_RAD.copy()
        self.depth_mm, self.seeing, self.moving, self.mode = self._socket_depth(), True, True, "follow"
        self.image_age_s, self.stalls, self.images, self.depth_frame = 0.0, 0, 0, OPTICAL
        self.trajectories = []
        self._images = {
            "color/image_raw": self.create_publisher(Image, "/camera/camera/color/image_raw", qos_profile_sensor_data),
            "depth": self.create_publisher(
                Image, "/camera/camera/aligned_depth_to_color/image_raw", qos_profile_sensor_data
            ),
        }
        self._info = self.create_publisher(CameraInfo, "/camera/camera/color/camera_info", qos_profile_sensor_data)
        self._arm = self.create_publisher(JointState, "/joint_states", 10)
        self.frames = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        self.owning = FakeGate(self)
        self.gate = ThreadedAction(self, ExecuteTrajectory, "/vital/execute_trajectory", self._on_execute)
        self.localize = self.create_client(LocalizeTarget, "/vital/localize_target")
        self.reach = SteadyActionClient(self, ReachTarget, "/vital/reach_target")
        self.diagnostics = []
        self.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self.create_timer(0.1, self._see)
        self.create_timer(0.01, self._feel)

    def calibrate(self) -> None:
        message = TransformStamped(child_frame_id=OPTICAL)
        message.header.frame_id = "link_base"
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = map(float, T_BASE_CAMERA[:3, 3])
        r.x, r.y, r.z, r.w = map(float, pose_of.to_quaternion(T_BASE_CAMERA))
        self.frames.publish(TFMessage(transforms=[message]))

    def _pixel(self) -> tuple[np.ndarray, float]:
        in_camera = pose_of.inverse(T_BASE_CAMERA) @ np.append(SOCKET, 1.0)
        return (K @ in_camera[:3] / in_camera[2])[:2], float(in_camera[2])

    def _socket_depth(self, *things: Obstacle) -> np.ndarray:
        """A table, on it the socket's face, and things."""
        (u, v), socket_m = self._pixel()
        depth_mm = depth_of(things, Camera(640, 480, K), T_BASE_CAMERA)
        depth_mm[round(v) - 20 : round(v) + 21, round(u) - 20 : round(u) + 21] = round(1000 * socket_m)
        return depth_mm

    def _see(self) -> None:
        if not self.seeing:
            return
        self.images += 1
        if not self._images["depth"].get_subscription_count():
            return
        u, v = self._pixel()[0].round().astype(int)
        rgb = np.full((480, 640, 3), 60, np.uint8)
        rgb[v - 4 : v + 5, u - 4 : u + 5] = (230, 20, 20)
        seen_at = self.get_clock().now() - Duration(seconds=self.image_age_s)
        header = Header(frame_id=OPTICAL, stamp=seen_at.to_msg())
        self._images["color/image_raw"].publish(to_message(rgb, "rgb8", header))
        depth_header = Header(frame_id=self.depth_frame, stamp=header.stamp)
        self._images["depth"].publish(to_message(self.depth_mm, "16UC1", depth_header))
        self._info.publish(CameraInfo(header=header, width=640, height=480, k=K.flatten()))

    def wait_for_images(self) -> None:
        """Until what is seen now has been shown twice to whoever looks."""
        shown = self.images
        wait_until(lambda: self.images >= shown + 2, "images")

    def _feel(self) -> None:
        if self.moving:
            message = JointState(name=["drive_joint", *JOINT_NAMES], position=[0.5, *self.joints.tolist()])
            message.header.stamp = self.get_clock().now().to_msg()
            self._arm.publish(message)

    def _on_execute(self, handle):
        result = ExecuteTrajectory.Result()
        if self.stalls and handle.request.owner == self.owning.owner:
            self.stalls -= 1
            result.verdict, result.error_code = int(GateState.NO_TACTILE), int(ErrorCode.SENSOR_FAULT)
            result.message = "tactile reading is 276 ms old"
            return GoalEnd.ABORTED, result
        if self.mode == "refuse" or handle.request.owner != self.owning.owner:
            result.verdict, result.error_code = 13, int(ErrorCode.GATE_REFUSED)
            result.message = "joint3 would move at 9.00 rad/s"
            return GoalEnd.ABORTED, result
        motion = motion_of(handle.request.trajectory)
        self.trajectories.append(motion)
        states = motion.sampled(0.01)
        for i, q in enumerate(states):
            if handle.is_cancel_requested:
                result.error_code, result.message = int(ErrorCode.CANCELLED), "cancelled"
                return GoalEnd.CANCELED, result
            if self.mode != "hang":
                self.joints = q
            handle.publish_feedback(ExecuteTrajectory.Feedback(progress=i / len(states)))
            time.sleep(0.01)
        while self.mode == "hang" and not handle.is_cancel_requested:
            time.sleep(0.01)
        if self.mode == "miss":
            self.joints = self.joints + 0.05
        result.success = True
        return GoalEnd.SUCCEEDED, result


class Session:
    """The bench, spinning, and the node's process."""

    def __init__(self, tmp_path, program=("-c", NODE), parameters=()) -> None:
        self.mountings, calibration = tmp_path / "mountings.yaml", tmp_path / "calibration.yaml"
        notes = {"residual_mm": 0.7, "measured_at": (now() - timedelta(days=3)).isoformat()}
        write_calibration(calibration, OPTICAL, "link_base", T_BASE_CAMERA, notes)
        self.mount(days_ago=4)
        parameters = (f"calibration_file:={calibration}", f"mounting_file:={self.mountings}", *parameters)
        self.context = Context()
        rclpy.init(context=self.context)
        self.bench = Bench(self.context)
        self._executor = EventsExecutor(context=self.context)
        self._executor.add_node(self.bench)
        self._spinning = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.log = tmp_path / "node.log"
        with self.log.open("w") as log:
            given = [word for p in ("camera_timeout_s:=1.5", *parameters) for word in ("-p", p)]
            command = [sys.executable, *program, "--ros-args", *given]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        assert self.bench.localize.wait_for_service(timeout_sec=30.0), self.log.read_text()
        assert self.bench.reach.wait_for_server(timeout_sec=10.0)

    def mount(self, days_ago: float) -> None:
        write_mounting(self.mountings, OPTICAL, now() - timedelta(days=days_ago))

    def ask(self, prompt: str = "insert the USB stick into the USB port") -> LocalizeTarget.Response:
        return answer_of(self.bench.localize.call_async(LocalizeTarget.Request(prompt=prompt)), 10.0)

    def start_reach(
        self,
        point=SOCKET,
        seed: int = 7,
        task: str = "usb_insertion",
        feedback=lambda _: None,
        valid_s: float = 0.0,
        yaw: TargetYaw | None = None,
    ):
        now = self.bench.get_clock().now()
        goal = ReachTarget.Goal(
            task=task, seed=seed, target=target_message(Target(np.asarray(point, float), yaw=yaw), now.to_msg())
        )
        if valid_s:
            goal.valid_until = (now + Duration(seconds=valid_s)).to_msg()
        handle = answer_of(self.bench.reach.send_goal_async(goal, feedback), 5.0)
        assert handle.accepted
        return handle

    def reach(self, **request) -> ReachTarget.Result:
        return answer_of(self.start_reach(**request).get_result_async(), 25.0).result

    def reset(self) -> None:
        bench = self.bench
        self.mount(days_ago=4)
        bench.joints, bench.mode, bench.owning.grants = HOME_RAD.copy(), "follow", True
        bench.seeing = bench.moving = bench.owning.beating = True
        bench.image_age_s, bench.stalls, bench.depth_frame = 0.0, 0, OPTICAL
        bench.depth_mm = bench._socket_depth()
        bench.owning.owners.clear()
        bench.trajectories.clear()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._spinning = False
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=5.0)
        self.bench.destroy_node()
        rclpy.shutdown(context=self.context)

    def _spin(self) -> None:
        while self._spinning:
            self._executor.spin_once(timeout_sec=0.2)


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Iterator[Session]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(own_domain()))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("OMP_NUM_THREADS", "1")
        session = Session(tmp_path_factory.mktemp("reach"))
        try:
            answer = session.ask()
            # Without frames the camera's place is unknown: told as such, before the calibration comes.
            assert (answer.success, answer.error_code) == (False, int(ErrorCode.NO_CALIBRATION)), answer.message
            session.bench.calibrate()
            deadline = time.monotonic() + 10.0
            while not session.ask().success:
                assert time.monotonic() < deadline, "the calibration never arrived"
            yield session
        finally:
            session.close()


@pytest.fixture(autouse=True)
def fresh(request) -> None:
    if "session" in request.fixturenames:
        request.getfixturevalue("session").reset()


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        ([], qos_profile_sensor_data),
        ([IMAGES], IMAGES),
        ([IMAGES, qos_profile_sensor_data], qos_profile_sensor_data),
    ],
)
def test_images_are_asked_for_again_where_every_camera_offers_it(session, offered, asked):
    node, topic = session.bench, f"/offered_{len(offered)}"
    publishers = [node.create_publisher(Image, topic, qos) for qos in offered]
    wait_until(lambda: node.count_publishers(topic) == len(offered), "the publishers")
    assert as_offered(node, topic) is asked
    for publisher in publishers:
        node.destroy_publisher(publisher)


def test_answers_tell_how_old_and_how_good_the_calibration_is(session):
    answer = session.ask()
    assert answer.success and answer.calibration_residual_m == pytest.approx(0.0007)
    assert answer.calibration_age_s == pytest.approx(3 * 86400.0, abs=600.0)
    assert f"calibration of {OPTICAL} 3 days old, residual 0.70 mm" in answer.message
    reached = session.reach()
    assert reached.success and reached.calibration_residual_m == pytest.approx(0.0007)
    assert reached.calibration_age_s == pytest.approx(3 * 86400.0, abs=600.0)


def test_a_camera_that_was_mounted_after_its_calibration_is_not_looked_through(session):
    assert session.ask().success
    session.mount(days_ago=1)
    answer = session.ask()
    assert (answer.success, answer.error_code) == (False, int(ErrorCode.NO_CALIBRATION))
    assert "its calibration is older" in answer.message and "calibrate it again" in answer.message
    assert np.isnan(answer.calibration_age_s)
    reached = session.reach()
    assert (reached.success, reached.error_code) == (False, int(ErrorCode.NO_CALIBRATION))
    assert not session.bench.trajectories and not session.bench.owning.owners
    session.mount(days_ago=4)
    assert session.ask().success


def test_the_named_thing_is_found_in_the_base_frame(session):
    answer = session.ask()
    assert answer.success, answer.message
    assert answer.target.header.frame_id == "link_base"
    target = target_of(answer.target)
    assert np.linalg.norm(target.point_m - SOCKET) < 0.002
    assert 0.001 < np.sqrt(np.linalg.eigvalsh(target.covariance_m2)[-1]) < 0.01
    assert target.yaw is None and "yaw not known: there is no reference view" in answer.message
    assert answer.confidence == pytest.approx(0.97)
    np.testing.assert_allclose((answer.pixel_u, answer.pixel_v), session.bench._pixel()[0], atol=1.0)


@pytest.mark.parametrize(
    ("prompt", "code", "told"),
    [
        ("peel the banana", ErrorCode.NOT_IN_VIEW, "no banana in view"),
        ("  ", ErrorCode.BAD_PARAMETER, "prompt is empty"),
        ("crash", ErrorCode.INTERNAL, "RuntimeError: the model broke"),
    ],
)
def test_what_cannot_be_pointed_at_is_refused(session, prompt, code, told):
    answer = session.ask(prompt)
    assert (answer.success, answer.error_code) == (False, int(code))
    assert told in answer.message


def test_no_depth_and_no_camera_are_refused(session):
    session.bench.depth_mm = np.zeros((480, 640), np.uint16)
    session.bench.wait_for_images()
    answer = session.ask()
    assert answer.error_code == int(ErrorCode.NO_DEPTH) and "0 of 289" in answer.message
    session.bench.seeing = False
    answer = session.ask()
    assert answer.error_code == int(ErrorCode.NO_CAMERA)
    assert "/camera/camera/color/image_raw" in answer.message and "1.5 s" in answer.message


def test_depth_from_another_frame_than_the_colours_is_refused(session):
    session.bench.depth_frame = "camera_depth_optical_frame"
    session.bench.wait_for_images()
    answer = session.ask()
    assert answer.error_code == int(ErrorCode.BAD_OBSERVATION)
    assert "camera_depth_optical_frame" in answer.message and "align_depth" in answer.message


def test_images_of_the_past_are_waited_out_and_then_named(session):
    session.bench.image_age_s = 3.0
    threading.Timer(0.7, lambda: setattr(session.bench, "image_age_s", 0.0)).start()
    assert session.ask().success
    session.bench.image_age_s = 3.0
    answer = session.ask()
    assert answer.error_code == int(ErrorCode.NO_CAMERA)
    assert "colour image 3." in answer.message and "at most 1 s allowed" in answer.message


def test_a_gate_that_falls_silent_ends_the_reach_and_the_next_goal_takes_up_again(session):
    session.bench.mode = "hang"
    handle = session.start_reach()
    wait_until(lambda: session.bench.trajectories, "a trajectory")
    session.bench.owning.beating = False
    start = time.monotonic()
    result = answer_of(handle.get_result_async(), 10.0).result
    assert result.error_code == int(ErrorCode.NODE_LOST) and "the command gate does not answer" in result.message
    assert 0.8 < time.monotonic() - start < 3.0
    session.reset()
    assert session.reach().success


def test_the_arm_is_brought_above_the_target_and_given_back(session):
    phases = []
    handle = session.start_reach(feedback=lambda m: phases.append((m.feedback.phase, m.feedback.progress)))
    result = answer_of(handle.get_result_async(), 20.0).result
    assert result.success, result.message
    assert result.error_m < 0.0005 and 0.0 < result.planning_s < 5.0
    tcp = kinematics.forward(session.bench.joints)[:3, 3]
    hover = SOCKET + np.array(load_task("usb_insertion").start_centre_m)
    assert (np.abs(tcp - hover) <= (0.0305, 0.0305, 0.0055)).all()
    assert result.goal.header.frame_id == "link_base"
    wait_until(lambda: session.bench.owning.owners == ["reach", ""], "the arm given back")
    assert phases[0][0] == "planning" and phases[-1][0] == "moving" and phases[-1][1] > 0.5
    np.testing.assert_allclose(session.bench.trajectories[0].positions_rad[0], HOME_RAD, atol=1e-6)


def test_what_the_camera_sees_on_the_table_is_gone_around_and_shown(session):
    wall = Obstacle("wall", (0.45, 0.13, 0.08), (0.2, 0.02, 0.16))
    session.bench.joints = kinematics.solve(pose_of.point_down((0.45, 0.22, 0.18)), HOME_RAD)
    session.bench.depth_mm = session.bench._socket_depth(wall)
    result = session.reach()
    assert result.success and "(over" in result.message, result.message
    scene = CollisionScene(RobotModel(), [wall], tip_offset_m=load_task("usb_insertion").tip_offset_m)
    (motion,) = session.bench.trajectories
    assert min(scene.clearance_m(q) for q in motion.sampled(0.005)) > 0.005
    shown = []
    heard = session.bench.create_subscription(MarkerArray, "/vital/obstacles", shown.append, LATCHED)
    wait_until(lambda: shown, "the obstacles")
    cubes = [m for m in shown[-1].markers if m.action == m.ADD]
    assert all(m.header.frame_id == "link_base" and m.type == m.CUBE for m in cubes)
    assert any(abs(m.pose.position.y - 0.13) < 0.03 and m.scale.z > 0.16 for m in cubes)
    session.bench.destroy_subscription(heard)


def test_an_arm_in_the_socket_is_lifted_first_and_looks_from_there(session):
    tip_m = load_task("usb_insertion").tip_offset_m
    start = kinematics.solve(pose_of.point_down(SOCKET + np.array([0, 0, tip_m - 0.01])), HOME_RAD)
    session.bench.joints = start.copy()
    result = session.reach()
    assert result.success, result.message
    retreat, motion = session.bench.trajectories
    tcp = kinematics.tcp_positions(retreat.sampled(0.01))
    assert np.abs(tcp[:, :2] - SOCKET[:2]).max() < 0.002 and tcp[-1, 2] > tcp[0, 2] + 0.02
    np.testing.assert_allclose(motion.positions_rad[0], retreat.positions_rad[-1], atol=1e-6)


def test_a_camera_that_was_moved_since_its_calibration_moves_no_arm(session):
    raised = T_BASE_CAMERA.copy()
    raised[2, 3] -= 0.03
    session.bench.depth_mm = depth_of([], Camera(640, 480, K), raised)
    result = session.reach()
    assert result.error_code == int(ErrorCode.NO_CALIBRATION) and "Calibrate it again" in result.message
    assert not session.bench.trajectories


def test_who_comes_late_is_shown_the_last_target_and_the_last_planned_motion(session):
    assert session.ask().success and session.reach().success
    shown = {}
    heard = [
        session.bench.create_subscription(kind, topic, lambda m, topic=topic: shown.update({topic: m}), LATCHED)
        for kind, topic in ((PointStamped, "/vital/target"), (JointTrajectory, "/vital/planned_motion"))
    ]
    wait_until(lambda: len(shown) == len(heard), "target and motion")
    for subscription in heard:
        session.bench.destroy_subscription(subscription)
    point = shown["/vital/target"].point
    np.testing.assert_allclose((point.x, point.y, point.z), SOCKET, atol=0.002)
    planned = motion_of(shown["/vital/planned_motion"])
    np.testing.assert_allclose(planned.positions_rad, session.bench.trajectories[-1].positions_rad, atol=1e-9)


@pytest.mark.parametrize(
    ("yaw_deg", "symmetry", "expected_deg"), [(25.0, 1, 25.0), (-160.0, 2, 20.0), (100.0, 4, 10.0)]
)
def test_the_hand_arrives_turned_as_the_target_by_the_shortest_way(session, yaw_deg, symmetry, expected_deg):
    result = session.reach(yaw=TargetYaw(np.deg2rad(yaw_deg), 0.02, symmetry), seed=-1)
    assert result.success, result.message
    expected = np.deg2rad(expected_deg)
    assert (result.yaw_rad, result.yaw_std_rad) == pytest.approx((expected, 0.02), abs=1e-3)
    t_base_tcp = kinematics.forward(session.bench.joints)
    goal = pose_of.point_down(SOCKET + load_task("usb_insertion").start_centre_m, expected)
    moved_m, turned_rad = pose_of.distance(t_base_tcp, goal)
    assert moved_m < 0.001 and turned_rad < 0.002
    assert "as the target, +- 1.1" in result.message


def test_a_target_of_unknown_turn_leaves_the_hand_turned_as_it_was_and_that_is_said(session):
    result = session.reach()
    assert result.success and np.isnan(result.yaw_std_rad)
    assert "nothing says how the target is turned" in result.message
    assert abs(hand_yaw_rad(kinematics.forward(session.bench.joints))) < 0.002


@pytest.mark.parametrize(
    ("mode", "request_", "code"),
    [
        ("follow", {"task": "usb_insertio"}, ErrorCode.UNKNOWN_TASK),
        ("follow", {"point": (0.9, 0.0, 0.03)}, ErrorCode.OUTSIDE_WORKSPACE),
        ("follow", {"point": (float("nan"), 0.0, 0.03)}, ErrorCode.BAD_PARAMETER),
        ("follow", {"seed": -5}, ErrorCode.BAD_PARAMETER),
        ("stopped", {}, ErrorCode.STOPPED),
        ("refuse", {}, ErrorCode.TRAJECTORY_REFUSED),
        ("hang", {}, ErrorCode.REACH_TIMEOUT),
        ("miss", {}, ErrorCode.REACH_TIMEOUT),
    ],
)
def test_a_reach_that_cannot_be_done_ends_with_its_code_and_the_arm_given_back(session, mode, request_, code):
    session.bench.mode, session.bench.owning.grants = mode, mode != "stopped"
    result = session.reach(**request_)
    assert (result.success, result.error_code) == (False, int(code)), result.message
    assert result.message
    wait_until(lambda: session.bench.owning.owner == "", "the arm given back")


def test_a_sensor_that_stalls_for_a_moment_is_waited_for_and_one_that_stays_silent_is_told(session):
    session.bench.stalls = 3
    assert session.reach().success
    session.reset()
    session.bench.stalls = 1000
    result = session.reach()
    assert result.error_code == int(ErrorCode.SENSOR_FAULT) and "276 ms old" in result.message


def test_a_reach_without_joint_states_is_refused(session):
    session.bench.moving = False
    result = session.reach()
    assert result.error_code == int(ErrorCode.SENSOR_FAULT) and "/joint_states" in result.message


def test_a_cancel_stops_the_arm_and_gives_it_back(session):
    handle = session.start_reach()
    wait_until(lambda: session.bench.trajectories, "a trajectory")
    answer_of(handle.cancel_goal_async(), 5.0)
    answer = answer_of(handle.get_result_async(), 10.0)
    assert answer.result.error_code == int(ErrorCode.CANCELLED), answer.result.message
    rest_of(lambda: session.bench.joints, timeout_s=1.5)
    assert session.bench.owning.owner == ""
    assert session.reach().success


def test_a_cancel_while_planning_is_answered_at_once_and_the_plan_is_dropped(session):
    handle = session.start_reach(seed=99)
    wait_until(lambda: "thinking" in session.log.read_text(), "planning")
    start = time.monotonic()
    answer_of(handle.cancel_goal_async(), 5.0)
    answer = answer_of(handle.get_result_async(), 10.0)
    assert time.monotonic() - start < 1.0
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert answer.result.error_code == int(ErrorCode.CANCELLED), answer.result.message
    assert session.reach().success, "the next reach waits until what was dropped has ended"
    assert len(session.bench.trajectories) == 1 and session.bench.owning.owners == ["reach", ""]


def test_a_goal_after_its_valid_until_is_refused_and_one_before_it_is_not(session):
    result = answer_of(session.start_reach(valid_s=-8.2).get_result_async(), 10.0).result
    assert (result.success, result.error_code) == (False, int(ErrorCode.TIMEOUT))
    assert "came 8.2 s after its valid_until" in result.message or "came 8.3 s" in result.message
    assert not session.bench.trajectories
    assert answer_of(session.start_reach(valid_s=60.0).get_result_async(), 25.0).result.success


def test_a_second_reach_waits_its_turn_and_localisation_goes_on_meanwhile(session):
    session.bench.mode = "hang"
    first = session.start_reach()
    wait_until(lambda: session.bench.trajectories, "a trajectory")
    assert session.ask().success
    second = session.reach()
    assert second.error_code == int(ErrorCode.BUSY)
    assert session.bench.owning.owner == "reach", "the end of the second one is not the first one's"
    answer_of(first.cancel_goal_async(), 5.0)
    assert answer_of(first.get_result_async(), 10.0).result.error_code == int(ErrorCode.CANCELLED)


def test_the_state_of_the_node_is_in_the_diagnostics(session):
    def mine_of(messages):
        return [s for m in messages for s in m.status if s.name.endswith("vlm_reach_node")]

    session.bench.diagnostics.clear()
    wait_until(lambda: mine_of(session.bench.diagnostics), "diagnostics")
    mine = mine_of(session.bench.diagnostics)
    values = {v.key: v.value for v in mine[-1].values}
    assert int(values["localized"]) >= 1 and "reached" in values


def test_an_interrupt_during_a_reach_stops_the_arm_and_leaves_no_traceback(session):
    """The last one: it ends the node."""
    session.start_reach()
    wait_until(lambda: session.bench.trajectories, "a trajectory")
    session.process.send_signal(signal.SIGINT)
    assert session.process.wait(10.0) == 0
    rest_of(lambda: session.bench.joints, timeout_s=1.5)
    log = session.log.read_text()
    assert "Traceback" not in log, log
    assert "RuntimeError: the model broke" in log


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("pointing:=molmo", "pointing is 'molmo', expected one of embedded, server, transformers"),
        ("endpoint:=ftp://gpu -p pointing:=server", "http://127.0.0.1:8000/v1"),
        ("pointing:=transformers -p pointing_model:=/nowhere", "no"),
        ("task:=usb_insertio", "usb_insertion"),
        ("speed_scale:=7.0", "speed_scale"),
        ("speed_scale:=fast", "speed_scale"),
    ],
)
def test_a_bad_parameter_ends_the_node_with_one_line(parameter, told, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(own_domain()))
    command = [sys.executable, "-m", "vital_vlm_reach.vlm_reach_node", "--ros-args", "-p", *parameter.split()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert told in ended.stderr and "Traceback" not in ended.stderr
