"""The simulated robot as a ROS node: joint trajectories in, sensors out, at real time."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from control_msgs.msg import JointTrajectoryControllerState
from msgspec import Meta
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES, TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import SceneReset, SimTruth, TactileArray
from vital_interfaces.srv import ResetScene, TakeBaseline
from vital_ros import image_message
from vital_ros.boundary import serve, subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import be_nice
from vital_ros.qos import IMAGES, LATCHED
from vital_sim.ros import sim_messages as to
from vital_sim.ros.joint_trajectory import Points
from vital_sim.ros.sim_session import SimSession, Sinks

ANSWER_S = 20.0
MOST_BASELINE_SAMPLES = 500  # 5 s
# It stands for hardware, which nobody on this machine holds up.
NICENESS = -10
ARM_TOPIC = "/xarm7_traj_controller/joint_trajectory"
GATES_TIME_S = 0.4  # to bring the arm to rest before it halts by itself
LINGER_S = 1.2


@dataclass(frozen=True)
class SimParameters:
    """The first scene."""

    task: Annotated[str, Meta(description="the task whose scene is laid")] = "usb_insertion"
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of the first scene")] = 0
    background: Annotated[str, Meta(description="what lies on the table: green, plain, or clutter")] = "green"


class SimNode(Node):
    """Stands where the arm, its gripper and its sensors stand on the robot."""

    def __init__(self) -> None:
        super().__init__("vital_sim")
        given = declare(self, SimParameters)
        self._halted = False
        self._advertise()
        self.session = SimSession(given.task, given.seed, given.background, self._sinks())
        self._listen(ARM_TOPIC, JOINT_NAMES, self.session.follow)
        self._listen("/xarm_gripper_traj_controller/joint_trajectory", (to.GRIPPER_JOINT,), self._on_gripper)
        serve(self, TakeBaseline, "/anyskin/take_baseline", self._on_baseline)
        serve(self, ResetScene, "/vital/reset_scene", self._on_reset)
        self._diagnostics = Diagnostics(self, self._health)

    def _advertise(self) -> None:
        def sensor(kind: type, topic: str, qos: QoSProfile = qos_profile_sensor_data):
            return self.create_publisher(kind, topic, qos)

        self._joints = sensor(JointState, "/joint_states")
        self._reference = sensor(JointTrajectoryControllerState, "/xarm7_traj_controller/controller_state")
        self._scene_reset = self.create_publisher(SceneReset, "/vital/scene_reset", 1)
        self._tactile = sensor(TactileArray, "/anyskin/tactile")
        self._wrist = sensor(Image, "/wrist_camera/image_raw")
        self._wrist_info = sensor(CameraInfo, "/wrist_camera/camera_info")
        self._foreground = sensor(Image, "/sim/wrist_foreground")
        self._colour = sensor(Image, "/camera/camera/color/image_raw", IMAGES)
        self._colour_info = sensor(CameraInfo, "/camera/camera/color/camera_info")
        self._depth = sensor(Image, "/camera/camera/aligned_depth_to_color/image_raw", IMAGES)
        self._truth = self.create_publisher(SimTruth, "/sim/truth", 1)
        self._static = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        self._frames_sent = False

    def _sinks(self) -> Sinks:
        return Sinks(
            joints=self._send_joints,
            reference=lambda positions, speeds: self._reference.publish(
                to.reference_message(positions, speeds, self._now())
            ),
            reset=self._announce_reset,
            tactile=self._send_tactile,
            wrist=self._send_wrist,
            scene=self._send_scene,
            truth=lambda truth, seed, episode: self._truth.publish(
                to.truth_message(truth, self.session.task, seed, episode, self._now())
            ),
            wants_wrist=lambda: self._wrist.get_subscription_count() > 0,
            wants_foreground=lambda: self._foreground.get_subscription_count() > 0,
            wants_scene=lambda: self._colour.get_subscription_count() + self._depth.get_subscription_count() > 0,
            stamp=self._now,
        )

    def _now(self):
        return self.get_clock().now().to_msg()

    def _send_joints(self, positions, velocities) -> None:
        if not self._frames_sent:
            self._send_frames()
        self._joints.publish(
            to.joint_message(positions, velocities, self.session.gripper_closed * to.GRIPPER_CLOSED_RAD, self._now())
        )

    def _announce_reset(self, positions) -> None:
        s = self.session
        self._scene_reset.publish(to.reset_message(positions, s.task, s.seed, s.episode, self._now()))

    def _send_frames(self) -> None:
        session, stamp = self.session, self._now()
        scene = session.scene_camera
        wrist = to.transform_message(TCP_FRAME, session.wrist_camera.frame_id, session.wrist_camera.t_tcp_camera, stamp)
        base = to.transform_message(BASE_FRAME, scene.frame_id, scene.t_base_camera, stamp)
        self._static.publish(TFMessage(transforms=[wrist, base]))
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
        height, width = image.shape[:2]
        self._wrist_info.publish(
            to.camera_info(camera.camera_matrix, width, height, "equidistant", camera.frame_id, stamp)
        )

    def _send_scene(self, images, stamp) -> None:
        camera = self.session.scene_camera
        colour, depth_mm = images
        header = Header(frame_id=camera.frame_id, stamp=stamp)
        height, width = depth_mm.shape
        self._colour_info.publish(
            to.camera_info(camera.camera_matrix, width, height, "plumb_bob", camera.frame_id, stamp)
        )
        self._depth.publish(image_message.to_message(depth_mm, "16UC1", header))
        self._colour.publish(image_message.to_message(colour, "rgb8", header))

    def _listen(self, topic: str, joints: tuple[str, ...], follow: Callable[[Points], Any]) -> None:
        subscribe(self, JointTrajectory, topic, follow, 1, read=lambda message: to.points_of(message, joints))

    def _on_gripper(self, points: Points) -> None:
        self.session.grip(float(points.positions[-1, 0]) / to.GRIPPER_CLOSED_RAD)

    def _on_baseline(self, request: TakeBaseline.Request, response: TakeBaseline.Response) -> TakeBaseline.Response:
        if request.samples > MOST_BASELINE_SAMPLES:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"a baseline of {request.samples} readings, expected at most {MOST_BASELINE_SAMPLES}",
            )
        baseline = self._answer_of(self.session.take_baseline(request.samples or 5))
        response.success, response.message = True, "median of the readings taken"
        response.baseline_id, response.baseline_ut = self.session.baseline_id, baseline.tolist()
        return response

    def _on_reset(self, request: ResetScene.Request, response: ResetScene.Response) -> ResetScene.Response:
        if request.seed < 0:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"seed is {request.seed}, expected 0 or more")
        response.episode = self._answer_of(self.session.reset(request.task, request.seed))
        response.success, response.message = True, f"scene {request.seed} of {self.session.task}"
        return response

    @staticmethod
    def _answer_of(asked: Future) -> Any:
        try:
            return asked.result(ANSWER_S)
        except TimeoutError as error:
            raise VitalError(ErrorCode.TIMEOUT, "the simulation did not answer") from error

    def _health(self) -> Health:
        s = self.session
        if s.failure is not None:
            raise VitalError(ErrorCode.INTERNAL, f"the simulation ended: {s.failure}")
        slow = s.real_time_factor < 0.95
        message = "slower than real time" if slow else "at real time"
        counts = {f"{name}_sent": n for name, n in s.frames_sent.items()}
        values: dict[str, float] = {
            "real_time_factor": s.real_time_factor,
            "frames_dropped": s.frames_dropped,
            "episode": s.episode,
        }
        return Health(WARN if slow else OK, message, {**values, **counts})

    def lingers(self, asked_s: float) -> bool:
        """An arm outlasts the program that moves it: shown until the gate has gone and it stands, `LINGER_S` at most.

        Without the gate's word it halts by itself, as a controller does that is switched off. asked_s: since the
        signal.
        """
        if self.session.failure is not None or asked_s > LINGER_S:
            return False
        if asked_s > GATES_TIME_S and not self._halted and not self.session.at_rest:
            self._halted = True
            self.session.halt()
        return self.count_publishers(ARM_TOPIC) > 0 or not self.session.at_rest

    def on_exit(self) -> None:
        """End the simulation's thread before the publishers go."""
        self.session.close()


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    be_nice(NICENESS)
    exit_with(run_node(SimNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
