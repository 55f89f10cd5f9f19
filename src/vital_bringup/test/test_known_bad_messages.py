"""Messages that have ended a node, over real DDS and on the executor that the node runs on: counted, and it goes on."""

import math
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from fuzzed_nodes import good, image, transform
from geometry_msgs.msg import Quaternion
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from spun_node import SpunNode, spun, timed
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import GateState, OperatorInput, ReplayState, SessionState, SimTruth, TactileArray
from vital_interfaces.srv import OpenEpisode, ReadReplay, ResetScene, TakeBaseline
from vital_rl.acting.policy_run import PolicyRun
from vital_ros.qos import LATCHED

NO_ROTATION = Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)
BEFORE_ALL_TIME = Time(sec=-1)


def changed(topic: str, kind: type, change: Callable[[Any], None]) -> Any:
    """A good message with one thing wrong."""
    message = good(kind, topic)
    change(message)
    return message


def nan_joints(message: JointState) -> None:
    message.position[3] = math.nan


def before_all_time(message: Any) -> None:
    message.header.stamp = BEFORE_ALL_TIME


def nan_quaternion(message: TFMessage) -> None:
    message.transforms[0].transform.rotation.x = math.nan


def no_rotation(message: OperatorInput) -> None:
    message.pose.orientation = NO_ROTATION


def unknown_mode(message: GateState) -> None:
    message.mode = 17


def stopped_for_a_reason_unknown(message: GateState) -> None:
    message.mode, message.stop_code = GateState.LATCHED, 999


def unplaced_target(message: SimTruth) -> None:
    message.target.position.z = math.inf


TOLD = [
    ("frames", "/joint_states", JointState, nan_joints),
    ("frames", "/joint_states", JointState, before_all_time),
    ("policy_node", "/wrist_camera/image_raw", Image, before_all_time),
    ("policy_node", "/anyskin/tactile", TactileArray, before_all_time),
    ("vlm_reach_node", "/tf_static", TFMessage, nan_quaternion),
    ("teleop_node", "/vital/operator_input", OperatorInput, no_rotation),
    ("scripted_operator", "/sim/truth", SimTruth, unplaced_target),
]


def executor_of(name: str) -> Callable[[], Any]:
    """As the node's `main` says."""
    return SingleThreadedExecutor if name in ("vlm_reach_node", "scripted_operator") else EventsExecutor


def hears(here: SpunNode, topic: str, kind: type) -> Any:
    """A publisher that the node hears; who comes late hears it too."""
    sender = here.asker.create_publisher(kind, topic, LATCHED)
    here.until(lambda: sender.get_subscription_count() > 0)
    return sender


@pytest.mark.parametrize(("name", "topic", "kind", "change"), TOLD)
def test_a_bad_message_is_counted_and_shown_and_the_next_good_one_is_taken(name, topic, kind, change, tmp_path: Path):
    with spun(name, tmp_path, executor_of(name)) as here:
        sender = hears(here, topic, kind)
        sender.publish(changed(topic, kind, change))
        here.until(lambda: here.refused(topic) == 1)
        sender.publish(good(kind, topic))
        sender.publish(changed(topic, kind, change))
        here.until(lambda: here.refused(topic) == 2)
        here.until(here.refusals_are_shown)


@pytest.mark.parametrize("about", ["[1, 2]", "null", "{", "[" * 5000, '"' + "x" * 9000 + '"', "é" * 20_000])
def test_a_replay_that_is_asked_to_open_with_odd_json_says_so_and_keeps_what_is_open(about, tmp_path: Path):
    with spun("replay_node", tmp_path, EventsExecutor) as here:
        opener = here.asker.create_client(OpenEpisode, "/vital/replay/open")
        first = here.asked(opener, good(OpenEpisode.Request, ""))
        refused = here.asked(opener, OpenEpisode.Request(task="usb_insertion", about=about))
        assert first.success and not refused.success and refused.error_code == ErrorCode.BAD_PARAMETER
        assert here.node._open_episode == first.episode
        assert here.refused("/vital/replay/open") == 1


def test_a_recorder_goes_on_after_bytes_that_are_no_message(tmp_path: Path):
    with spun("recorder", tmp_path, EventsExecutor) as here:
        sender = hears(here, "/joint_states", JointState)
        whole = serialize_message(good(JointState, ""))
        for data in (b"", whole[:3], whole[: len(whole) // 2], b"\x00\x01\x00\x00" + b"\xff" * 60):
            before = here.refused("/joint_states")
            sender.publish(data)
            here.until(lambda before=before: here.refused("/joint_states") > before)
        sender.publish(whole)
        here.until(lambda: here.node._poses.t_base_tcp is not None)


def test_a_text_that_is_no_text_is_heard_as_another_joint(tmp_path: Path):
    with spun("frames", tmp_path, EventsExecutor) as here:
        sender = hears(here, "/joint_states", JointState)
        data = serialize_message(good(JointState, "")).replace(b"joint7\x00", b"\xff\xfe\xff\xfe\xff\xfe\x00")
        sender.publish(data)
        here.until(lambda: here.refused("/joint_states") == 1)


def test_a_gate_that_stops_for_a_reason_unknown_ends_the_episode_as_stopped(tmp_path: Path):
    with spun("policy_node", tmp_path, EventsExecutor) as here:
        node: Any = here.node
        node._run = PolicyRun(node._parts, RunPolicy.Goal(), 3.0, "policy")
        node._run._owner_since_ns, episode = 0, node._run.episode
        sender = hears(here, "/vital/gate_state", GateState)
        sender.publish(changed("", GateState, unknown_mode))
        here.until(lambda: here.refused("/vital/gate_state") == 1)
        sender.publish(changed("", GateState, stopped_for_a_reason_unknown))
        here.until(lambda: episode._ended_by is not None)
        assert episode._ended_by.code is ErrorCode.STOPPED


def test_a_session_of_no_task_does_not_end_the_scripted_operator(tmp_path: Path):
    with spun("scripted_operator", tmp_path) as here:
        session = hears(here, "/vital/session_state", SessionState)
        truth = hears(here, "/sim/truth", SimTruth)
        truth.publish(good(SimTruth, ""))
        for count, task in enumerate(("", "make_tea"), 1):
            session.publish(SessionState(phase=SessionState.READY, task=task, attempt=1, seed=3))
            here.until(lambda count=count: here.refused("/vital/session_state") == count)
        here.run_timers()
        session.publish(good(SessionState, ""))
        here.until(lambda: here.node._session.task == "usb_insertion")


def test_a_parameter_of_no_known_type_is_refused_by_any_node(tmp_path: Path):
    with spun("frames", tmp_path, EventsExecutor) as here:
        setter = here.asker.create_client(SetParameters, "/frames/set_parameters")
        odd = Parameter(name="calibration_file", value=ParameterValue(type=200))
        answer = here.asked(setter, SetParameters.Request(parameters=[odd, odd]))
        assert [result.successful for result in answer.results] == [False, False]
        assert here.refused("frames/set_parameters") == 1


def test_a_learner_that_was_promised_more_than_there_is_waits_for_what_comes(tmp_path: Path):
    with spun("learner_node", tmp_path, EventsExecutor) as here:
        asked = []

        def read(request: ReadReplay.Request, response: ReadReplay.Response) -> ReadReplay.Response:
            asked.append(request.cursor)
            response.success = True
            return response

        here.asker.create_service(ReadReplay, "/vital/replay/read", read)
        sender = hears(here, "/vital/replay_state", ReplayState)
        for times in (1, 2):
            sender.publish(ReplayState(cursor=2**63))
            here.until(lambda times=times: len(asked) == times and here.node._learning._cursor_to_reach == 0)


def test_a_simulator_is_asked_for_no_more_than_it_can_do(tmp_path: Path):
    with spun("vital_sim", tmp_path, EventsExecutor) as here:
        baseline = here.asker.create_client(TakeBaseline, "/anyskin/take_baseline")
        reset = here.asker.create_client(ResetScene, "/vital/reset_scene")
        for answer in (
            here.asked(baseline, TakeBaseline.Request(samples=4_000_000_000)),
            here.asked(reset, ResetScene.Request(seed=-1)),
        ):
            assert not answer.success and answer.error_code == ErrorCode.BAD_PARAMETER and answer.message
        assert here.asked(baseline, TakeBaseline.Request(samples=5)).success


def endless_path() -> JointTrajectory:
    path = JointTrajectory(joint_names=list(JOINT_NAMES))
    path._points = [JointTrajectoryPoint(positions=[0.1] * 7)] * 1_000_000  # past rclpy's own look at each
    return path


def enormous_image() -> Image:
    picture = image()
    picture.width = picture.height = picture.step = 4_000_000_000
    return picture


def million_magnetometers() -> TactileArray:
    message = TactileArray(field_ut=array("f", bytes(12_000_000)))
    message._valid = [True] * 1_000_000
    return message


OVERSIZED = [
    ("vital_sim", "/xarm7_traj_controller/joint_trajectory", endless_path),
    ("policy_node", "/wrist_camera/image_raw", enormous_image),
    ("policy_node", "/anyskin/tactile", million_magnetometers),
    ("command_gate", "/anyskin/tactile", million_magnetometers),
    ("vlm_reach_node", "/tf_static", lambda: TFMessage(transforms=[transform()] * 9_000)),
    ("frames", "/joint_states", lambda: JointState(name=["joint1"] * 9_000, position=[0.0] * 9_000)),
]


@pytest.mark.parametrize(("name", "topic", "make"), OVERSIZED)
def test_what_is_far_too_large_is_refused_at_once(name, topic, make, tmp_path: Path):
    with spun(name, tmp_path) as here:
        heard = next(s for s in here.node.subscriptions if s.topic_name == topic)
        timed(heard.callback, make())
        assert here.refused(topic) == 1
