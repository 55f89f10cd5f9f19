"""The scripted operator on the graph, over real DDS: it moves for the scene that it sees, and for no other."""

import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_domain import own_domain

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_interfaces.msg import OperatorInput, SessionState, SimTruth, TeleopEvent
from vital_ros.boundary import refusals_of
from vital_ros.diagnostics import WARN
from vital_ros.message_check import pose_in
from vital_ros.qos import LATCHED
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.ros import sim_messages
from vital_sim.ros.operator_node import OperatorNode, known_session
from vital_sim.world.world import World

TASK, SEED = "usb_insertion", 11


class Stage(Node):
    """Stands where the simulator and the session stand, and hears what the operator says."""

    def __init__(self, truth):
        super().__init__("stage")
        self.truth, self.truth_seed = truth, SEED
        self.sees = True
        self.inputs, self.intended = [], []
        self._truth = self.create_publisher(SimTruth, "/sim/truth", 1)
        self._session = self.create_publisher(SessionState, "/vital/session_state", LATCHED)
        self.create_subscription(OperatorInput, "/vital/operator_input", self.inputs.append, 10)
        self.create_subscription(PoseStamped, "/vital/tcp_intended", self.intended.append, 10)
        self.create_timer(PERIOD_S, self.tell_truth)

    def tell_truth(self):
        if self.sees:
            stamp = self.get_clock().now().to_msg()
            self._truth.publish(sim_messages.truth_message(self.truth, TASK, self.truth_seed, 1, stamp))

    def say(self, phase, attempt, task=TASK, seed=SEED):
        self._session.publish(SessionState(phase=phase, attempt=attempt, task=task, seed=seed))


class Graph:
    """The operator and the stage, spun together."""

    def __init__(self, truth):
        self.operator, self.stage = OperatorNode(), Stage(truth)
        self.executor = SingleThreadedExecutor()
        for node in (self.operator, self.stage):
            self.executor.add_node(node)
        self.attempt = 0

    def until(self, true, timeout_s=30.0):
        end = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < end, f"it did not come to be; the last input: {self.stage.inputs[-1:]}"
            self.executor.spin_once(timeout_sec=0.1)

    def next_inputs(self, count):
        """The operator's next inputs after those that are under way."""
        self.stage.inputs.clear()
        self.until(lambda: len(self.stage.inputs) >= count + 3)
        return self.stage.inputs[3:]

    def ready(self, **scene):
        """A scene of its own; returns the attempt's number."""
        self.attempt += 1
        self.stage.say(SessionState.READY, self.attempt, **scene)
        self.until(lambda: self.operator._session.attempt == self.attempt)

    def sees(self, sees):
        self.stage.sees = sees
        self.until(lambda: ("watching" in self.health().message) == sees)

    def health(self):
        return self.operator._diagnostics.now()

    def close(self):
        self.executor.shutdown()
        for node in (self.operator, self.stage):
            node.destroy_node()


@pytest.fixture(scope="module")
def world():
    made = World(load_task(TASK))
    made.begin(SEED)
    return made


@pytest.fixture(scope="module")
def spun(world):
    rclpy.init(domain_id=own_domain(1))
    made = Graph(world.truth())
    yield made
    made.close()
    rclpy.shutdown()


@pytest.fixture
def graph(spun):
    """With the truth of the scene on its way."""
    spun.stage.truth_seed = SEED
    spun.sees(True)
    return spun


def test_operator_without_a_session_gives_signs_of_life_alone(graph):
    graph.stage.say(SessionState.PREPARING, 0)
    for message in graph.next_inputs(5):
        assert (message.kind, message.clutch, message.event, message.gripper) == (OperatorInput.NONE, False, 0, 1.0)
        assert message.device == "scripted" and message.header.frame_id == BASE_FRAME


def test_ready_scene_is_shown_from_where_the_tcp_is(graph, world):
    graph.ready()
    seen = graph.next_inputs(40)
    assert all(m.kind == OperatorInput.POSE and m.clutch for m in seen)
    assert TeleopEvent.START in [m.event for m in seen]
    for message in seen:
        np.testing.assert_allclose(pose_in("hand", message.pose), world.truth().t_base_tcp, atol=1e-9)
    assert graph.stage.intended == []


def test_recording_tells_the_intention_beside_the_hand(graph, world):
    graph.ready()
    graph.next_inputs(1)
    graph.stage.say(SessionState.RECORDING, graph.attempt)
    graph.stage.intended.clear()
    graph.until(lambda: len(graph.stage.intended) >= 10)
    stamps = [m.header.stamp for m in graph.stage.inputs if m.kind == OperatorInput.POSE]
    told = graph.stage.intended[0]
    assert told.header.frame_id == BASE_FRAME and told.header.stamp in stamps
    step_m, step_rad = pose_of.distance(world.truth().t_base_tcp, pose_in("intended", told.pose))
    assert 0.001 < step_m <= world.task.max_step_m and step_rad <= world.task.max_step_rad


def test_scene_of_another_seed_is_waited_for(graph):
    graph.stage.truth_seed = SEED + 1
    graph.ready(seed=SEED + 2)
    assert all(m.kind == OperatorInput.NONE for m in graph.next_inputs(10))
    graph.stage.truth_seed = SEED + 2
    graph.until(lambda: graph.stage.inputs[-1].kind == OperatorInput.POSE)


def test_operator_who_comes_in_the_middle_of_a_recording_does_not_join_in(graph):
    graph.attempt += 1
    graph.stage.say(SessionState.RECORDING, graph.attempt)
    graph.until(lambda: graph.operator._session.attempt == graph.attempt)
    assert all(m.kind == OperatorInput.NONE for m in graph.next_inputs(10))


def test_hand_stands_still_while_the_truth_is_old_and_goes_on_with_it(graph):
    graph.ready()
    graph.until(lambda: graph.stage.inputs[-1].kind == OperatorInput.POSE)
    graph.sees(False)
    assert graph.health().level == WARN and "is the simulator there?" in graph.health().message
    assert all(m.kind == OperatorInput.NONE for m in graph.next_inputs(5))
    graph.sees(True)
    graph.until(lambda: graph.stage.inputs[-1].kind == OperatorInput.POSE)


@pytest.mark.parametrize("bad", [{"phase": 9}, {"task": "make_coffee"}, {"seed": -2}])
def test_session_that_cannot_be_is_counted_and_changes_nothing(graph, bad):
    graph.ready()
    refused = dict(refusals_of(graph.operator).counts)
    graph.stage.say(**{"phase": SessionState.READY, "attempt": 900} | bad)
    graph.until(lambda: refusals_of(graph.operator).counts != refused)
    assert graph.operator._session.attempt == graph.attempt


@pytest.mark.parametrize(
    ("session", "code", "word"),
    [
        (SessionState(phase=5), ErrorCode.BAD_MESSAGE, "phase is 5, expected one of 0, 1, 2, 3, 4"),
        (SessionState(seed=-2), ErrorCode.BAD_MESSAGE, "seed is -2, expected 0 or more, or -1"),
        (SessionState(phase=SessionState.READY, task="usb"), ErrorCode.UNKNOWN_TASK, "usb"),
        (SessionState(phase=SessionState.RECORDING, task=""), ErrorCode.UNKNOWN_TASK, ""),
    ],
)
def test_unknown_session_is_refused_with_its_code(session, code, word):
    with pytest.raises(VitalError, match=word) as refusal:
        known_session(session)
    assert refusal.value.code is code


@pytest.mark.parametrize("phase", [SessionState.PREPARING, SessionState.SAVING, SessionState.FINISHED])
def test_session_that_shows_nothing_needs_no_task(phase):
    session = SessionState(phase=phase, seed=-1)
    assert known_session(session) is session
