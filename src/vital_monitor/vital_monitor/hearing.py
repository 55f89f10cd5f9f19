"""What the monitor listens to: small states always, the senses only while somebody looks."""

from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatusArray
from geometry_msgs.msg import PointStamped
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from vital_core.clock import steady_s
from vital_interfaces.action import RunTask
from vital_interfaces.msg import (
    GateState,
    LearnerState,
    PolicyState,
    SessionState,
    TactileArray,
    TeleopState,
    TrainingState,
    TrialReport,
)
from vital_monitor import monitor_messages as read
from vital_monitor.ears import Ears
from vital_monitor.recorded.recorded_ears import RecordedEars
from vital_monitor.state.heard import Tick
from vital_monitor.state.picture import Picture
from vital_ros.qos import FRAMES, LATCHED, NEWEST

# In turns, of which there are thirty a second.
MOTION, SELDOM = 3, 24
TOUCH, JOINTS, WRIST = "/anyskin/tactile", "/joint_states", "/wrist_camera/image_raw"
COLOUR, LENS = "/camera/camera/color/image_raw", "/camera/camera/color/camera_info"
DEPTH = "/camera/camera/aligned_depth_to_color/image_raw"
TELEOP = "/vital/teleop_state"
SESSIONS = ("/vital/session_state", "/vital/training_state")
# Types of what a recording may hold, by topic.
RECORDED = {
    **dict.fromkeys((WRIST, COLOUR, DEPTH), "sensor_msgs/msg/Image"),
    LENS: "sensor_msgs/msg/CameraInfo",
    TOUCH: "vital_interfaces/msg/TactileArray",
    JOINTS: "sensor_msgs/msg/JointState",
    "/vital/gate_state": "vital_interfaces/msg/GateState",
    "/vital/policy_state": "vital_interfaces/msg/PolicyState",
    "/vital/learner_state": "vital_interfaces/msg/LearnerState",
    SESSIONS[0]: "vital_interfaces/msg/SessionState",
    SESSIONS[1]: "vital_interfaces/msg/TrainingState",
    "/vital/trial_report": "vital_interfaces/msg/TrialReport",
    "/vital/target": "geometry_msgs/msg/PointStamped",
    "/vital/planned_motion": "trajectory_msgs/msg/JointTrajectory",
    "/tf_static": "tf2_msgs/msg/TFMessage",
}
RUN, STATUS = "/vital/run_task/_action/feedback", "/vital/run_task/_action/status"


class Hearing:
    """Fills a picture with what is said on the graph; in the executor's thread."""

    def __init__(self, node: Node, picture: Picture, ears: Ears | RecordedEars) -> None:
        self._node, self._picture, self._ears = node, picture, ears
        hear = self._ears.open
        hear(GateState, "/vital/gate_state", self._keep("gate"), LATCHED, read.gate_of)
        hear(PolicyState, "/vital/policy_state", self._on_tick, NEWEST, read.tick_of)
        hear(LearnerState, "/vital/learner_state", picture.learn, NEWEST, read.learner_of)
        hear(SessionState, SESSIONS[0], self._keep("session"), LATCHED, read.record_of)
        hear(TrainingState, SESSIONS[1], self._keep("session"), LATCHED, read.training_of)
        hear(RunTask.Impl.FeedbackMessage, RUN, self._keep("run"), NEWEST, read.run_of)
        hear(TrialReport, "/vital/trial_report", self._keep("result"), LATCHED, read.result_of)
        hear(GoalStatusArray, STATUS, self._on_status, LATCHED, read.is_running)
        hear(PointStamped, "/vital/target", self._keep("target_m"), LATCHED, read.target_of)
        hear(JointTrajectory, "/vital/planned_motion", self._keep("path_m"), LATCHED, read.path_of)
        hear(TFMessage, "/tf_static", picture.frames.update, FRAMES, read.frames_of)

    def open_senses(self) -> None:
        """Begin to hear what comes often and is large."""
        hear, picture = self._ears.open, self._picture
        hear(TactileArray, TOUCH, lambda touch: picture.feel(touch, steady_s()), NEWEST, read.touch_of)
        # Arm and gripper may be told in messages of their own, so a few are kept.
        hear(JointState, JOINTS, picture.joints_rad.update, qos_profile_sensor_data, read.joints_of, every=MOTION)
        hear(Image, WRIST, self._keep_image("wrist"), NEWEST, read.rgb_of, every=MOTION)
        hear(Image, COLOUR, self._keep_image("scene"), NEWEST, read.rgb_of, every=MOTION)
        hear(CameraInfo, LENS, self._keep_image("lens"), NEWEST, read.lens_of, every=SELDOM)
        hear(TeleopState, TELEOP, self._keep("teleop"), NEWEST, read.teleop_of, every=MOTION)

    def close_senses(self) -> None:
        """Hear them no longer: cameras then need not send."""
        for topic in (TOUCH, JOINTS, WRIST, COLOUR, LENS, DEPTH, TELEOP):
            self._ears.close(topic)

    def want_depth(self, wanted: bool) -> None:
        """Hear the depth camera, or not."""
        if wanted:
            self._ears.open(Image, DEPTH, self._keep_image("depth_mm"), NEWEST, read.depth_of, every=SELDOM)
        else:
            self._ears.close(DEPTH)

    def listen(self, turn: int) -> None:
        """Take what has come."""
        self._ears.listen(turn)

    def forget_what_is_gone(self) -> None:
        """A session whose node is not there any more asks nothing of anybody."""
        if isinstance(self._ears, RecordedEars):
            return
        if self._picture.session is not None and not any(map(self._node.count_publishers, SESSIONS)):
            self._picture.session = None
        if self._picture.running and not self._node.count_publishers(STATUS):
            self._on_status(False)

    def _keep(self, name: str) -> Callable[[Any], None]:
        def keep(value: Any) -> None:
            setattr(self._picture, name, value)
            self._picture.came(name, steady_s())

        return keep

    def _keep_image(self, name: str) -> Callable[[Any], None]:
        return lambda value: setattr(self._picture.images, name, value)

    def _on_status(self, running: bool) -> None:
        self._picture.running = running
        if not running:
            self._picture.run = None

    def _on_tick(self, tick: Tick) -> None:
        self._picture.take_tick(tick, steady_s())
        self._picture.came("policy", steady_s())
