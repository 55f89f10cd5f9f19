"""From messages to what the monitor keeps; what cannot be believed is refused with VitalError(BAD_MESSAGE)."""

import numpy as np
from action_msgs.msg import GoalStatus, GoalStatusArray
from geometry_msgs.msg import PointStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from vital_core.arm.kinematics import tcp_positions
from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES
from vital_core.pose import Pose
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
from vital_monitor.state.heard import Array, Gate, Kind, Learner, Lens, Result, Run, Session, Teleop, Tick, Touch
from vital_ros.conversions import array_of
from vital_ros.image_message import from_message
from vital_ros.message_check import (
    FARTHEST_M,
    FARTHEST_RAD,
    MOST_JOINTS,
    known_gate_state,
    no_longer,
    refusal,
    rigid_pose,
    whole_tactile,
    within,
)

MODES = ("idle", "moving", "holding", "stopped")
RECORD_PHASES = ("preparing", "ready", "recording", "saving", "finished")
TELEOP_MODES = ("idle", "engaged", "waiting", "lost")
TRAINING_PHASES = ("preparing", "running", "labelling", "paused", "finished", "waiting")
UNDER_WAY = (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING)
MOST_FRAMES, MOST_POINTS = 300, 5000


def gate_of(message: GateState) -> Gate:
    """The gate's state."""
    known_gate_state(message)
    lower, upper = array_of(message.workspace_lower_m), array_of(message.workspace_upper_m)
    return Gate(
        MODES[message.mode],
        message.owner,
        int(message.stop_code),
        message.stop_reason,
        int(message.stop_number),
        message.hold_reason,
        message.verdict_text,
        int(message.accepted),
        int(message.rejected),
        int(message.holds),
        message.joint_state_age_s,
        message.tactile_age_s,
        message.tactile_peak_ut,
        message.tactile_limit_ut if np.isfinite(message.tactile_limit_ut) else 0.0,
        within("lower corner of the workspace, m,", lower, FARTHEST_M),
        within("upper corner of the workspace, m,", upper, FARTHEST_M),
    )


def tick_of(message: PolicyState) -> Tick:
    """A tick of the policy."""
    return Tick(
        message.task,
        message.phase,
        int(message.seq),
        np.array(message.base_action, float),
        np.array(message.residual_action, float),
        np.array(message.action, float),
        bool(message.commanded),
        message.message,
        message.image_age_s,
        message.tactile_age_s,
        message.inference_s,
        message.lateness_s,
        int(message.weights_version),
        message.checkpoint_sha256,
    )


def touch_of(message: TactileArray) -> Touch:
    """A reading of the pad."""
    whole_tactile(message)
    valid = np.array(message.valid, bool)
    field = np.asarray(message.field_ut, float).reshape(len(valid), 3)
    field = np.where(valid[:, None], field, 0.0)
    baseline = np.asarray(message.baseline_ut, float).reshape(-1, 3)
    change = np.where(valid[:, None], field - baseline, 0.0) if len(baseline) else np.zeros_like(field)
    return Touch(field, change, valid, int(message.baseline_id))


def learner_of(message: LearnerState) -> Learner:
    """Where the learner stands."""
    return Learner(
        int(message.episodes),
        int(message.steps),
        int(message.updates),
        int(message.owed),
        message.updates_per_s,
        message.success_20,
        int(message.weights_version),
        message.message,
    )


def record_of(message: SessionState) -> Session:
    """A session of demonstrations."""
    phase = _phase(message.phase, RECORD_PHASES)
    done, wanted = int(message.episodes_saved), int(message.episodes_wanted)
    return Session(Kind.RECORD, phase, message.task, message.message, done, wanted)


def training_of(message: TrainingState) -> Session:
    """A residual training."""
    phase = _phase(message.phase, TRAINING_PHASES)
    steps, wanted, age_s = int(message.steps), int(message.steps_wanted), message.weights_age_s
    return Session(Kind.TRAINING, phase, message.task, message.message, steps, wanted, message.success_20, float(age_s))


def teleop_of(message: TeleopState) -> Teleop:
    """The teleoperation node."""
    return Teleop(message.device, _phase(message.mode, TELEOP_MODES, "mode"), message.message)


def _phase(number: int, names: tuple[str, ...], what: str = "phase") -> str:
    if number >= len(names):
        raise refusal(f"{what} is {number}, expected 0 to {len(names) - 1}")
    return names[number]


def run_of(message: object) -> Run:
    """The feedback of `/vital/run_task`."""
    feedback = message.feedback  # type: ignore[attr-defined]
    return Run(feedback.phase, feedback.message, float(within("elapsed, s,", feedback.elapsed_s)))


def result_of(message: TrialReport) -> Result:
    """How the newest sentence ended."""
    return Result(message.prompt, bool(message.success), message.phase, message.message, message.duration_s)


def is_running(message: GoalStatusArray) -> bool:
    """Whether a goal of `/vital/run_task` is being carried out."""
    return any(each.status in UNDER_WAY for each in message.status_list)


def joints_of(message: JointState) -> dict[str, float]:
    """Positions by name, rad."""
    no_longer("name", message.name, MOST_JOINTS)
    if len(message.position) != len(message.name):
        raise refusal(f"{len(message.name)} joints have {len(message.position)} positions, expected one each")
    positions = within("joint position, rad,", message.position, FARTHEST_RAD)
    return dict(zip(message.name, positions.tolist(), strict=True))


def target_of(message: PointStamped) -> Array:
    """(3,) in `link_base`, m."""
    if message.header.frame_id not in (BASE_FRAME, ""):
        raise refusal(f"the target is in '{message.header.frame_id[:60]}', expected '{BASE_FRAME}'")
    return within("target, m,", array_of(message.point), FARTHEST_M)


def path_of(message: JointTrajectory) -> Array:
    """(n, 3) of the TCP along a planned motion of joint1 to joint7, m."""
    no_longer("points", message.points, MOST_POINTS)
    names = list(message.joint_names)
    if sorted(names) != sorted(JOINT_NAMES) or any(len(p.positions) != len(names) for p in message.points):
        raise refusal(f"a motion of {', '.join(names[:9]) or 'no joint'}, expected joint1 to joint7, all at each point")
    positions = np.array([p.positions for p in message.points], float).reshape(-1, len(names))
    order = [names.index(name) for name in JOINT_NAMES]
    return tcp_positions(within("planned joint position, rad,", positions, FARTHEST_RAD)[:, order])


def frames_of(message: TFMessage) -> dict[str, Pose]:
    """Frames that are given in `link_base`, by name; others are not needed."""
    no_longer("transforms", message.transforms, MOST_FRAMES)
    return {
        each.child_frame_id: rigid_pose(
            f"'{each.child_frame_id[:60]}'", each.transform.translation, each.transform.rotation
        )
        for each in message.transforms
        if each.header.frame_id.lstrip("/") == BASE_FRAME
    }


def lens_of(message: CameraInfo) -> Lens:
    """The camera's matrix and frame."""
    matrix = within("camera matrix, px,", message.k).reshape(3, 3)
    if not (matrix[0, 0] > 0.0 and matrix[1, 1] > 0.0 and message.width and message.height):
        raise refusal(
            f"camera_info has fx {matrix[0, 0]:.3g} at {message.width}x{message.height}, expected more than 0"
        )
    clean = np.array([[matrix[0, 0], 0.0, matrix[0, 2]], [0.0, matrix[1, 1], matrix[1, 2]], [0.0, 0.0, 1.0]])
    return Lens(int(message.width), int(message.height), clean, message.header.frame_id)


def rgb_of(message: Image) -> NDArray[np.uint8]:
    """(H, W, 3) of an rgb8 image."""
    return from_message(message, "rgb8")


def depth_of(message: Image) -> NDArray[np.uint16]:
    """(H, W) of a 16UC1 image, mm."""
    return from_message(message, "16UC1")
