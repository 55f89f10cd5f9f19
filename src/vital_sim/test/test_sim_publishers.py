"""What the simulator says on the graph, over real DDS: stamps, frames and units that belong together, told in time."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_msgs.msg import TFMessage

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME, GRIPPER_CLOSED_RAD, GRIPPER_JOINT, TCP_FRAME
from vital_interfaces.msg import SceneReset, SimTruth, TactileArray
from vital_ros.image_message import from_message
from vital_ros.message_check import rigid_pose, whole_tactile
from vital_ros.qos import IMAGES, LATCHED
from vital_sim.ros.sim_publishers import SimPublishers
from vital_sim.world.truth import Truth

STAMP = Time(sec=3, nanosec=4)
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (128, 128, 3), np.uint8)
FOREGROUND = RNG.random((128, 128)) < 0.5
COLOUR = RNG.integers(0, 256, (48, 64, 3), np.uint8)
DEPTH_MM = RNG.integers(0, 3000, (48, 64), np.uint16)
WRIST = SimpleNamespace(
    frame_id="wrist_camera_optical_frame",
    camera_matrix=np.diag([200.0, 200.0, 1.0]),
    t_tcp_camera=pose_of.from_vector((0.06, 0.0, -0.06), (0.1, 0.2, 0.3)),
)
SCENE = SimpleNamespace(
    frame_id="camera_color_optical_frame",
    camera_matrix=np.diag([61.0, 61.0, 1.0]),
    t_base_camera=pose_of.from_vector((1.0, 0.2, 0.5), (2.0, 0.0, 0.5)),
)
TOPICS = {
    "joints": (JointState, "/joint_states", qos_profile_sensor_data),
    "tactile": (TactileArray, "/anyskin/tactile", qos_profile_sensor_data),
    "wrist": (Image, "/wrist_camera/image_raw", qos_profile_sensor_data),
    "wrist_info": (CameraInfo, "/wrist_camera/camera_info", qos_profile_sensor_data),
    "foreground": (Image, "/sim/wrist_foreground", qos_profile_sensor_data),
    "colour": (Image, "/camera/camera/color/image_raw", IMAGES),
    "colour_info": (CameraInfo, "/camera/camera/color/camera_info", qos_profile_sensor_data),
    "depth": (Image, "/camera/camera/aligned_depth_to_color/image_raw", IMAGES),
    "truth": (SimTruth, "/sim/truth", 1),
    "reset": (SceneReset, "/vital/scene_reset", 1),
    "frames": (TFMessage, "/tf_static", LATCHED),
}


class Listener:
    """A simulator's publishers, and somebody who listens to some of what they say."""

    def __init__(self):
        self.node, self.ears = Node("simulator"), Node("ears")
        self.executor = SingleThreadedExecutor()
        for node in (self.node, self.ears):
            self.executor.add_node(node)
        self.publishers = SimPublishers(self.node)
        self.publishers.session = SimpleNamespace(
            task="key_in_lock", seed=5, episode=2, gripper_closed=0.5, wrist_camera=WRIST, scene_camera=SCENE,
            baseline=np.zeros(0, np.float32), baseline_id=0,
        )  # fmt: skip
        self.sinks = self.publishers.sinks()
        self.heard, self._subscriptions = {}, []

    def listen(self, *names):
        """From here on, when the publishers know of it."""
        for name in names:
            kind, topic, qos = TOPICS[name]
            self.heard[name] = []
            made = self.ears.create_subscription(kind, topic, self.heard[name].append, qos)
            self._subscriptions.append(made)
            self.until(lambda topic=topic: self.node.count_subscribers(topic) > 0)

    def until(self, true, timeout_s=20.0):
        end = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < end, {name: len(messages) for name, messages in self.heard.items()}
            self.executor.spin_once(timeout_sec=0.05)

    def after(self, tell, *names):
        """The first message of each name; what is lost on the way to a new listener is told again."""

        def told():
            if not all(self.heard[name] for name in names):
                tell()
            return all(self.heard[name] for name in names)

        self.until(told)
        return [self.heard[name][-1] for name in names]

    def deafen(self):
        while self._subscriptions:
            self.ears.destroy_subscription(self._subscriptions.pop())
        self.heard.clear()


@pytest.fixture(scope="module")
def graph():
    rclpy.init(domain_id=own_domain(1))
    made = Listener()
    yield made
    made.executor.shutdown()
    for node in (made.node, made.ears):
        node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def listener(graph):
    yield graph
    graph.deafen()


@pytest.mark.parametrize(
    ("topic", "wants"),
    [("wrist", "wants_wrist"), ("foreground", "wants_foreground"), ("colour", "wants_scene"), ("depth", "wants_scene")],
)
def test_camera_is_wanted_while_somebody_looks(listener, topic, wants):
    wanted = getattr(listener.sinks, wants)
    listener.until(lambda: not wanted())
    listener.listen(topic)
    listener.until(wanted)
    listener.deafen()
    listener.until(lambda: not wanted())


def test_wrist_image_its_foreground_and_calibration_are_of_one_moment(listener):
    listener.listen("wrist", "wrist_info", "foreground")
    tell = lambda: listener.sinks.wrist((IMAGE, FOREGROUND), STAMP)  # noqa: E731
    image, info, foreground = listener.after(tell, "wrist", "wrist_info", "foreground")
    np.testing.assert_array_equal(from_message(image, "rgb8"), IMAGE)
    np.testing.assert_array_equal(from_message(foreground, "mono8"), np.where(FOREGROUND, 255, 0))
    for message in (image, info, foreground):
        assert (message.header.stamp, message.header.frame_id) == (STAMP, WRIST.frame_id)
    assert (info.width, info.height, info.distortion_model) == (128, 128, "equidistant")
    np.testing.assert_array_equal(np.reshape(info.k, (3, 3)), WRIST.camera_matrix)


def test_wrist_image_without_a_foreground_says_none(listener):
    listener.listen("foreground", "wrist")
    listener.after(lambda: listener.sinks.wrist((IMAGE, None), STAMP), "wrist")
    assert listener.heard["foreground"] == []


def test_depth_in_millimetres_and_colour_are_of_one_moment(listener):
    listener.listen("colour", "depth", "colour_info")
    tell = lambda: listener.sinks.scene((COLOUR, DEPTH_MM), STAMP)  # noqa: E731
    colour, depth, info = listener.after(tell, "colour", "depth", "colour_info")
    np.testing.assert_array_equal(from_message(colour, "rgb8"), COLOUR)
    np.testing.assert_array_equal(from_message(depth, "16UC1"), DEPTH_MM)
    for message in (colour, depth, info):
        assert (message.header.stamp, message.header.frame_id) == (STAMP, SCENE.frame_id)
    assert (info.width, info.height, info.distortion_model) == (64, 48, "plumb_bob")


def test_joint_states_tell_the_gripper_and_whoever_comes_late_still_gets_the_frames(listener):
    listener.listen("joints")
    joints = np.arange(7.0)
    (message,) = listener.after(lambda: listener.sinks.joints(joints, 0.1 * joints), "joints")
    by_name = dict(zip(message.name, message.position, strict=True))
    assert by_name[GRIPPER_JOINT] == pytest.approx(0.5 * GRIPPER_CLOSED_RAD) and by_name["joint3"] == 2.0
    listener.listen("frames")
    listener.until(lambda: listener.heard["frames"])
    listener.sinks.joints(joints, joints)
    by_child = {frame.child_frame_id: frame for frame in listener.heard["frames"][0].transforms}
    for parent, camera, pose in ((TCP_FRAME, WRIST, WRIST.t_tcp_camera), (BASE_FRAME, SCENE, SCENE.t_base_camera)):
        frame = by_child.pop(camera.frame_id)
        assert frame.header.frame_id == parent
        told = rigid_pose("frame", frame.transform.translation, frame.transform.rotation)
        np.testing.assert_allclose(told, pose, atol=1e-12)
    assert by_child == {} and len(listener.heard["frames"]) == 1


def test_tactile_readings_have_the_baseline_that_is_in_force(listener):
    listener.listen("tactile")
    field_ut = np.arange(15, dtype=np.float32)
    session = listener.publishers.session
    (before,) = listener.after(lambda: listener.sinks.tactile(field_ut, True), "tactile")
    assert whole_tactile(before) and (before.baseline_id, len(before.baseline_ut)) == (0, 0)
    session.baseline, session.baseline_id = field_ut + 1, 1
    listener.heard["tactile"].clear()
    (after,) = listener.after(lambda: listener.sinks.tactile(field_ut, False), "tactile")
    assert after.baseline_id == 1 and list(after.baseline_ut) == (field_ut + 1).tolist()
    assert not any(after.valid) and list(after.field_ut) == field_ut.tolist()


def test_truth_and_reset_name_the_scene_that_they_are_of(listener):
    listener.listen("truth", "reset")
    truth = Truth(True, 0.01, 0.002, 0.0, 4.0, 1e-5, *[np.eye(4)] * 4)
    (told,) = listener.after(lambda: listener.sinks.truth(truth, 6, 3), "truth")
    assert (told.task, told.seed, told.episode, told.success) == ("key_in_lock", 6, 3, True)
    assert (told.depth_m, told.lateral_m, told.contact_force_n) == (0.01, 0.002, 4.0)
    (reset,) = listener.after(lambda: listener.sinks.reset(np.ones(7)), "reset")
    assert (reset.task, reset.seed, reset.episode) == ("key_in_lock", 5, 2)
    assert list(reset.position_rad) == [1.0] * 7


def test_images_are_stamped_with_the_nodes_clock(listener):
    before = listener.node.get_clock().now().nanoseconds
    stamp = listener.sinks.stamp()
    after = listener.node.get_clock().now().nanoseconds
    assert before <= 1_000_000_000 * stamp.sec + stamp.nanosec <= after
