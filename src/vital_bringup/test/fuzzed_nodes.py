"""Every node of the project, ready to be fuzzed in this process, and a message of each kind that it would take."""

import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from builtin_interfaces.msg import Time
from control_msgs.msg import JointTrajectoryControllerState
from geometry_msgs.msg import Point, Pose, Quaternion, TransformStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.labeller import Labeller
from vital_data.dataset.normalisation import Normaliser
from vital_interfaces import action, msg, srv
from vital_policy.checkpoint import Checkpoint, Provenance, save_checkpoint
from vital_policy.network.policy import Policy, PolicyConfig
from vital_policy.network.transformer import TransformerConfig
from vital_rl.replay.step import ReplayStep, to_record

TASK = "usb_insertion"
K = [600.0, 0.0, 64.0, 0.0, 600.0, 64.0, 0.0, 0.0, 1.0]


def header() -> Header:
    """Of a moment in 2023."""
    return Header(stamp=Time(sec=1_700_000_000), frame_id="link_base")


def upright() -> Pose:
    """No rotation, at the origin."""
    return Pose(orientation=Quaternion(w=1.0))


@dataclass(frozen=True)
class Fuzzed:
    """A node: how to make it in a folder, its parameters, and what it hears only at times."""

    make: Callable[[Path], Node]
    parameters: Callable[[Path], dict[str, Any]] = lambda _: {}
    also: Callable[[Node], list[Any]] = lambda _: []


def image(encoding: str = "rgb8", side: int = 128) -> Image:
    """A grey image."""
    width = {"rgb8": 3, "mono8": 1, "16UC1": 2}[encoding]
    return Image(
        header=header(),
        encoding=encoding,
        height=side,
        width=side,
        step=width * side,
        data=np.full(width * side * side, 90, np.uint8),
    )


def trajectory(names: tuple[str, ...], positions: list[float]) -> JointTrajectory:
    """Two points, half a second apart."""
    message = JointTrajectory(joint_names=list(names))
    for seconds in (1, 2):
        point = JointTrajectoryPoint(positions=positions, velocities=[0.0] * len(positions))
        point.time_from_start.sec = seconds
        message.points.append(point)
    return message


def transform() -> TransformStamped:
    """A camera's place."""
    message = TransformStamped(header=header(), child_frame_id="camera_color_optical_frame")
    message.transform.rotation.w = 1.0
    return message


def record() -> array:
    """What was done at a tick, as the replay takes it."""
    numbers = [np.zeros(n, np.float32) for n in (15, 7, 7, 7)]
    return array("B", to_record(0, 0, ReplayStep(np.zeros((128, 128, 3), np.uint8), *numbers)))


GOOD_BY_TOPIC: dict[str, Callable[[], Any]] = {
    "/sim/wrist_foreground": lambda: image("mono8"),
    "/camera/camera/aligned_depth_to_color/image_raw": lambda: image("16UC1"),
    "/xarm_gripper_traj_controller/joint_trajectory": lambda: trajectory(("drive_joint",), [0.3]),
}
GOOD: dict[type, Callable[[], Any]] = {
    JointState: lambda: JointState(
        header=header(), name=list(JOINT_NAMES), position=HOME_RAD.tolist(), velocity=[0.0] * 7
    ),
    Image: image,
    CameraInfo: lambda: CameraInfo(
        header=header(), width=128, height=128, k=K, distortion_model="plumb_bob", d=[0.0] * 5
    ),
    TFMessage: lambda: TFMessage(transforms=[transform()]),
    JointTrajectory: lambda: trajectory(JOINT_NAMES, HOME_RAD.tolist()),
    JointTrajectoryControllerState: lambda: JointTrajectoryControllerState(
        header=header(), joint_names=list(JOINT_NAMES), reference=JointTrajectoryPoint(positions=HOME_RAD.tolist())
    ),
    msg.SceneReset: lambda: msg.SceneReset(
        header=header(), task=TASK, episode=1, joint_names=list(JOINT_NAMES), position_rad=HOME_RAD.tolist()
    ),
    msg.TactileArray: lambda: msg.TactileArray(
        header=header(), magnetometers=5, field_ut=[1.0] * 15, valid=[True] * 5, baseline_ut=[0.5] * 15, baseline_id=1
    ),
    msg.GateState: lambda: msg.GateState(header=header(), owner="policy", mode=1, joint_state_age_s=0.01),
    msg.OperatorInput: lambda: msg.OperatorInput(
        header=header(), device="x", kind=msg.OperatorInput.POSE, pose=upright(), clutch=True, gripper=1.0
    ),
    msg.SimTruth: lambda: msg.SimTruth(
        header=header(), task=TASK, episode=1, seed=3, target=upright(), tip=upright(), tcp=upright(), in_hand=upright()
    ),
    msg.SessionState: lambda: msg.SessionState(header=header(), phase=1, task=TASK, attempt=1, seed=3),
    msg.TeleopEvent: lambda: msg.TeleopEvent(header=header(), device="x", kind=2),
    msg.TeleopState: lambda: msg.TeleopState(header=header(), device="x", mode=1),
    msg.ResidualWeights: lambda: msg.ResidualWeights(header=header(), task=TASK, version=3, sha256="a" * 64),
    srv.AcquireControl.Request: lambda: srv.AcquireControl.Request(owner="reset", task=TASK, take_over=True),
    srv.ResetScene.Request: lambda: srv.ResetScene.Request(task=TASK, seed=3),
    srv.TakeBaseline.Request: lambda: srv.TakeBaseline.Request(samples=5),
    srv.OpenEpisode.Request: lambda: srv.OpenEpisode.Request(task=TASK, seed=1, about=json.dumps({"checkpoint": "a"})),
    srv.AppendStep.Request: lambda: srv.AppendStep.Request(record=record()),
    srv.ReadReplay.Request: lambda: srv.ReadReplay.Request(limit=4),
    srv.StartEpisode.Request: lambda: srv.StartEpisode.Request(task=TASK, operator_name="me", device="x", seed=-1),
    srv.FinishEpisode.Request: lambda: srv.FinishEpisode.Request(outcome=1),
    srv.LocalizeTarget.Request: lambda: srv.LocalizeTarget.Request(prompt="the port"),
    action.RunTask.Goal: lambda: action.RunTask.Goal(task=TASK, prompt="the port", seed=1),
    action.RunPolicy.Goal: lambda: action.RunPolicy.Goal(task=TASK, duration_s=1.0, finish=[Point()]),
    action.ExecuteTrajectory.Goal: lambda: action.ExecuteTrajectory.Goal(
        owner="reach", trajectory=trajectory(JOINT_NAMES, HOME_RAD.tolist())
    ),
}


def good(kind: type, topic: str) -> Any:
    """A message that a node would take on a topic, where one is known here; else one of zeros."""
    return GOOD_BY_TOPIC.get(topic, GOOD.get(kind, kind))()


def save_checkpoint_in(folder: Path) -> Path:
    """A tiny untrained policy."""
    torch.manual_seed(0)
    config = PolicyConfig(keypoints=8, transformer=TransformerConfig(layers=1, heads=2, width=16, dropout=0.1))
    normaliser = Normaliser(np.zeros(7), np.full(7, 0.01), np.full(15, 100.0))
    provenance = Provenance("made for a test", "abc", 7, 123, 32, "d" * 64)
    folder.mkdir(exist_ok=True)
    path = folder / f"{TASK}.safetensors"
    save_checkpoint(path, Checkpoint(TASK, Policy(config), normaliser, 6.0, provenance))
    return path


def frames(_folder: Path) -> Node:
    from vital_control.frames_node import Frames

    return Frames()


def gate(_folder: Path) -> Node:
    from vital_control.gate_node import GateNode

    return GateNode()


def gripper(_folder: Path) -> Node:
    from vital_control.gripper.xarm_gripper_node import XarmGripper

    # The vendor's action is not on PyPI; nobody serves this one.
    return XarmGripper(action_type=action.RunTask)


def monitor(_folder: Path) -> Node:
    from vital_monitor.monitor_node import MonitorNode

    return MonitorNode()


def watched(node: Any) -> list[Any]:
    """What the monitor hears only while somebody looks."""
    node.hearing.open_senses()
    node.hearing.want_depth(True)
    return []


def run_video(folder: Path) -> Node:
    from vital_bringup.film.run_video_node import RunVideo

    return RunVideo()


def scene_camera(node: Any) -> list[Any]:
    """The film's second camera is heard when there is one."""
    camera = node.create_publisher(Image, "/camera/camera/color/image_raw", 1)
    node._find_scene_camera()
    return [camera]


def task_server(_folder: Path) -> Node:
    from vital_bringup.tasks.task_server_node import TaskServer

    return TaskServer()


def deploy(_folder: Path) -> Node:
    from vital_bringup.sessions.deploy_node import DeployNode

    return DeployNode()


def record_session(_folder: Path) -> Node:
    from vital_bringup.sessions.record_node import RecordSession

    return RecordSession()


def training(_folder: Path) -> Node:
    from vital_bringup.sessions.train_node import TrainingNode

    return TrainingNode()


def policy(_folder: Path) -> Node:
    from vital_rl.acting.policy_node import PolicyNode

    return PolicyNode()


def replay(_folder: Path) -> Node:
    from vital_rl.replay.replay_node import ReplayNode

    return ReplayNode()


def learner(_folder: Path) -> Node:
    from vital_rl.learner.learner_node import LearnerNode

    return LearnerNode()


def recorder(_folder: Path) -> Node:
    from vital_data.recording.recorder_node import RecorderNode

    return RecorderNode()


def teleop(_folder: Path) -> Node:
    from vital_teleop.teleop_node import TeleopNode

    return TeleopNode()


def closed_clutch(node: Any) -> list[Any]:
    """The arm is the teleoperation's, so that it follows the hand."""
    node._claim.owned = True
    return []


def operator(_folder: Path) -> Node:
    from vital_sim.ros.operator_node import OperatorNode

    return OperatorNode()


def simulator(_folder: Path) -> Node:
    from vital_sim.ros.sim_node import SimNode

    node = SimNode()
    node.session.reset(TASK, 0).result(60.0)
    return node


def reach(_folder: Path) -> Node:
    from vital_vlm_reach.pointing import Pointing
    from vital_vlm_reach.vlm_reach_node import VlmReachNode

    class Middle:
        """Points at the middle of every image."""

        def point(self, rgb: Any, prompt: str) -> Pointing:
            return Pointing((rgb.shape[1] / 2, rgb.shape[0] / 2), 0.9, prompt)

    return VlmReachNode(pointing=Middle())


def moveit(_folder: Path) -> Node:
    from vital_core.errors import ErrorCode, VitalError
    from vital_vlm_reach.moveit.moveit_node import MoveItNode

    class Lost:
        """Finds no plan."""

        def plan(self, request: Any) -> Any:
            raise VitalError(ErrorCode.PLAN_FAILED, "no plan")

        def close(self) -> None:
            pass

    return MoveItNode(arm=Lost())


def while_asked(node: Any) -> list[Any]:
    """What the reach hears only during a request."""
    from vital_vlm_reach.arm_calls import JointReadings
    from vital_vlm_reach.localisation.camera_view import CameraView

    return [CameraView(node, 1000.0), JointReadings(node)]


def anyskin(_folder: Path) -> Node:
    from vital_perception.anyskin.anyskin_node import AnySkinNode

    return AnySkinNode()


def wrist_camera(_folder: Path) -> Node:
    from vital_perception.wrist_camera.wrist_camera_node import WristCameraNode

    return WristCameraNode()


def calibration_recorder(folder: Path) -> Node:
    from vital_perception.calibration.board import Board
    from vital_perception.calibration.calibration_recorder import CalibrationRecorder

    (folder / "calibration").mkdir()
    topics = ("/camera/camera/color/image_raw", "/camera/camera/color/camera_info")
    return CalibrationRecorder(folder / "calibration", Board(), topics, lambda _: None)


def reference_camera(_folder: Path) -> Node:
    from vital_vlm_reach.reference_views.reference_camera import ReferenceCamera

    return ReferenceCamera()


def while_it_looks(node: Any) -> list[Any]:
    """What a reference view's taker hears only during a look."""
    from vital_vlm_reach.localisation.camera_view import CameraView

    return [CameraView(node, 1000.0)]


NODES: dict[str, Fuzzed] = {
    "frames": Fuzzed(frames),
    "command_gate": Fuzzed(gate),
    "xarm_gripper": Fuzzed(gripper),
    "monitor": Fuzzed(monitor, lambda _: {"port": 0}, watched),
    "run_video": Fuzzed(run_video, lambda folder: {"directory": folder / "video"}, scene_camera),
    "task_server": Fuzzed(task_server, lambda _: {"labeller": str(Labeller.SIM_TRUTH)}),
    "deploy": Fuzzed(deploy),
    "record_session": Fuzzed(record_session),
    "residual_training": Fuzzed(training),
    "policy_node": Fuzzed(policy, lambda folder: {"checkpoint_dir": save_checkpoint_in(folder).parent, "learn": True}),
    "replay_node": Fuzzed(replay, lambda folder: {"folder": folder / "replay"}),
    "learner_node": Fuzzed(
        learner, lambda folder: {"folder": folder / "learner", "checkpoint": save_checkpoint_in(folder), "steps": 100}
    ),
    "recorder": Fuzzed(recorder, lambda folder: {"session": folder / "session"}),
    "teleop_node": Fuzzed(teleop, lambda _: {"device": "remote"}, closed_clutch),
    "scripted_operator": Fuzzed(operator),
    "vital_sim": Fuzzed(simulator),
    "vlm_reach_node": Fuzzed(reach, lambda _: {"camera_timeout_s": 0.1}, while_asked),
    "moveit_node": Fuzzed(moveit),
    "take_reference": Fuzzed(reference_camera, also=while_it_looks),
    "anyskin": Fuzzed(anyskin, lambda _: {"port": "/dev/vital_no_such_pad"}),
    "wrist_camera": Fuzzed(wrist_camera, lambda _: {"device": "/dev/vital_no_such_camera"}),
    "calibration_recorder": Fuzzed(calibration_recorder),
}
