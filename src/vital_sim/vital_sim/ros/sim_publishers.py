"""What the simulator says on the graph, as the robot's arm and sensors would."""

from typing import Protocol

import numpy as np
from builtin_interfaces.msg import Time
from control_msgs.msg import JointTrajectoryControllerState
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from vital_core.arm.xarm7 import BASE_FRAME, GRIPPER_CLOSED_RAD, TCP_FRAME
from vital_interfaces.msg import SceneReset, SimTruth, TactileArray
from vital_ros import image_message
from vital_ros.conversions import camera_info_message, transform_messages
from vital_ros.qos import IMAGES, LATCHED
from vital_sim.cameras.cameras import SceneCamera, WristCamera
from vital_sim.ros import sim_messages as to
from vital_sim.ros.sim_sinks import Sinks


class Simulated(Protocol):
    """What is told of a session beside what its sinks are handed."""

    task: str
    seed: int
    episode: int
    baseline: NDArray[np.float32]
    baseline_id: int

    @property
    def gripper_closed(self) -> float:
        """0 open, 1 closed."""

    @property
    def wrist_camera(self) -> WristCamera:
        """Its frame and lens."""

    @property
    def scene_camera(self) -> SceneCamera:
        """Its frame, place and lens."""


class SimPublishers:
    """Publishers of a node, and the `Sinks` of a session that speak through them; `session` is that session."""

    session: Simulated

    def __init__(self, node: Node) -> None:
        self._node = node

        def sensor(kind: type, topic: str, qos: QoSProfile = qos_profile_sensor_data):
            return node.create_publisher(kind, topic, qos)

        self._joints = sensor(JointState, "/joint_states")
        self._reference = sensor(JointTrajectoryControllerState, "/xarm7_traj_controller/controller_state")
        self._scene_reset = node.create_publisher(SceneReset, "/vital/scene_reset", 1)
        self._tactile = sensor(TactileArray, "/anyskin/tactile")
        self._wrist = sensor(Image, "/wrist_camera/image_raw")
        self._wrist_info = sensor(CameraInfo, "/wrist_camera/camera_info")
        self._foreground = sensor(Image, "/sim/wrist_foreground")
        self._colour = sensor(Image, "/camera/camera/color/image_raw", IMAGES)
        self._colour_info = sensor(CameraInfo, "/camera/camera/color/camera_info")
        self._depth = sensor(Image, "/camera/camera/aligned_depth_to_color/image_raw", IMAGES)
        self._show = sensor(Image, "/sim/show/image_raw")
        self._truth = node.create_publisher(SimTruth, "/sim/truth", 1)
        self._static = node.create_publisher(TFMessage, "/tf_static", LATCHED)
        self._frames_sent = False

    def sinks(self) -> Sinks:
        """For the session."""
        return Sinks(
            joints=self._send_joints,
            reference=lambda positions, speeds: self._reference.publish(
                to.reference_message(positions, speeds, self._now())
            ),
            reset=self._announce_reset,
            tactile=self._send_tactile,
            wrist=self._send_wrist,
            scene=self._send_scene,
            show=self._send_show,
            truth=lambda truth, seed, episode: self._truth.publish(
                to.truth_message(truth, self.session.task, seed, episode, self._now())
            ),
            wants_wrist=lambda: self._wrist.get_subscription_count() > 0,
            wants_foreground=lambda: self._foreground.get_subscription_count() > 0,
            wants_scene=lambda: self._colour.get_subscription_count() + self._depth.get_subscription_count() > 0,
            wants_show=lambda: self._show.get_subscription_count() > 0,
            stamp=self._now,
        )

    def _now(self) -> Time:
        return self._node.get_clock().now().to_msg()

    def _send_joints(self, positions, velocities) -> None:
        if not self._frames_sent:
            self._send_frames()
        self._joints.publish(
            to.joint_message(positions, velocities, self.session.gripper_closed * GRIPPER_CLOSED_RAD, self._now())
        )

    def _announce_reset(self, positions) -> None:
        s = self.session
        self._scene_reset.publish(to.reset_message(positions, s.task, s.seed, s.episode, self._now()))

    def _send_frames(self) -> None:
        session, stamp = self.session, self._now()
        scene = session.scene_camera
        children = (session.wrist_camera.frame_id, scene.frame_id)
        poses = np.stack([session.wrist_camera.t_tcp_camera, scene.t_base_camera])
        self._static.publish(TFMessage(transforms=transform_messages((TCP_FRAME, BASE_FRAME), children, poses, stamp)))
        self._frames_sent = True

    def _send_tactile(self, field_ut, valid: bool) -> None:
        s = self.session
        self._tactile.publish(to.tactile_message(field_ut, valid, s.baseline, s.baseline_id, self._now()))

    def _send_wrist(self, images, stamp) -> None:
        camera = self.session.wrist_camera
        image, foreground = images
        header = Header(frame_id=camera.frame_id, stamp=stamp)
        if foreground is not None:
            self._foreground.publish(image_message.to_message(255 * foreground.astype(np.uint8), "mono8", header))
        self._wrist.publish(image_message.to_message(image, "rgb8", header))
        size_px = (image.shape[1], image.shape[0])
        self._wrist_info.publish(camera_info_message(camera.camera_matrix, size_px, "equidistant", header))

    def _send_show(self, image, stamp) -> None:
        self._show.publish(image_message.to_message(image, "rgb8", Header(frame_id=BASE_FRAME, stamp=stamp)))

    def _send_scene(self, images, stamp) -> None:
        camera = self.session.scene_camera
        colour, depth_mm = images
        header = Header(frame_id=camera.frame_id, stamp=stamp)
        size_px = (depth_mm.shape[1], depth_mm.shape[0])
        self._colour_info.publish(camera_info_message(camera.camera_matrix, size_px, "plumb_bob", header))
        self._depth.publish(image_message.to_message(depth_mm, "16UC1", header))
        self._colour.publish(image_message.to_message(colour, "rgb8", header))
