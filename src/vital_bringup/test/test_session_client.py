"""The base of deploy, record and train over real DDS: what is missing, a fresh scene, a stop that is cleared."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from waiting import wait_until

from vital_bringup.sessions import demo_session, training_session
from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.learning_watch import LearningWatch
from vital_bringup.sessions.operator_session import OperatorSession
from vital_bringup.sessions.session_client import SessionClient
from vital_bringup.sessions.session_messages import DEMO_PHASES, OUTCOMES, PRESSES, TRAINING_PHASES
from vital_bringup.sessions.session_parameters import (
    DeployParameters,
    RecordParameters,
    SessionParameters,
    TrainParameters,
)
from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import Labeller
from vital_interfaces.msg import GateState, LearnerState, ReplayState, ResidualWeights
from vital_interfaces.srv import ClearStop, ResetScene
from vital_ros.diagnostics import OK, Health
from vital_ros.qos import LATCHED

WAIT_S = 20.0
ALL_PARAMETERS = (SessionParameters, DeployParameters, RecordParameters, TrainParameters)


class Client(SessionClient[SessionParameters]):
    """The base and nothing else; ``states`` is set with each state of the gate."""

    def __init__(self) -> None:
        self.states = threading.Event()
        super().__init__("client", SessionParameters)

    def health(self) -> Health:
        return Health(OK, "a test")

    def on_gate(self, state: GateState) -> None:
        self.states.set()


class System(Node):
    """A gate that says what it is told, and a simulator that lays scenes unless it ``refuses``."""

    def __init__(self) -> None:
        super().__init__("system")
        self.asked: list[tuple[str, object]] = []
        self.refuses: ErrorCode | None = None
        self.clears = True
        self.stop_numbers: list[int] = []
        self.overtakes: list[GateState] = []
        self._gate = self.create_publisher(GateState, "/vital/gate_state", LATCHED)
        self.create_service(ClearStop, "/vital/clear_stop", self._on_clear)
        self.create_service(ResetScene, "/vital/reset_scene", self._on_reset)

    def say(self, client: Client, **fields: object) -> None:
        """Tell the gate's state, and wait until the client has heard it."""
        client.states.clear()
        self._gate.publish(GateState(**fields))
        assert client.states.wait(WAIT_S)

    def _on_clear(self, request: ClearStop.Request, response: ClearStop.Response) -> ClearStop.Response:
        self.asked.append(("clear", request.operator_name))
        self.stop_numbers.append(request.stop_number)
        if self.overtakes:
            self._gate.publish(self.overtakes.pop())
            response.error_code, response.message = int(ErrorCode.STOPPED), "another stop has come since"
            return response
        response.success = self.clears
        if not self.clears:
            response.error_code, response.message = int(ErrorCode.ARM_DISPLACED), "the arm is elsewhere"
        return response

    def _on_reset(self, request: ResetScene.Request, response: ResetScene.Response) -> ResetScene.Response:
        self.asked.append(("reset", request.seed))
        response.success = self.refuses is None
        if self.refuses is not None:
            response.error_code, response.message = int(self.refuses), "no scene"
        return response


class Operated(OperatorSession[RecordParameters]):
    """A session with buttons; ``states`` as of `Client`."""

    def __init__(self) -> None:
        self.states = threading.Event()
        super().__init__("operated", RecordParameters)

    health, on_gate = Client.health, Client.on_gate


@pytest.fixture(params=[Client])
def running(request) -> Iterator[tuple[Client, System]]:
    rclpy.init()
    client, system, stopping = request.param(), System(), threading.Event()
    executors = []
    for node in (client, system):
        executors.append(SingleThreadedExecutor())
        executors[-1].add_node(node)

    def spin(executor: SingleThreadedExecutor) -> None:
        while not stopping.is_set():
            executor.spin_once(timeout_sec=0.05)

    threads = [threading.Thread(target=spin, args=(executor,), daemon=True) for executor in executors]
    for thread in threads:
        thread.start()
    assert client._reset.wait_for_service(WAIT_S) and client._clear.wait_for_service(WAIT_S)
    yield client, system
    stopping.set()
    for thread in threads:
        thread.join(5.0)
    client.destroy_node()
    system.destroy_node()
    rclpy.try_shutdown()


def test_a_scene_is_laid_without_a_word_about_stops_where_there_is_none(running):
    client, system = running
    system.say(client, mode=GateState.IDLE)
    client.lay_scene(7, "a test")
    assert system.asked == [("reset", 7)]


def test_a_stop_is_cleared_in_somebodys_name_before_the_scene_is_laid(running):
    client, system = running
    system.say(client, mode=GateState.LATCHED)
    client.lay_scene(8, "a test")
    assert system.asked == [("clear", "a test"), ("reset", 8)]


def test_a_stop_that_stays_keeps_no_scene_from_being_laid_but_is_told_to_who_asked_for_it(running):
    client, system = running
    system.clears = False
    system.say(client, mode=GateState.LATCHED)
    client.lay_scene(9, "a test")
    assert ("reset", 9) in system.asked
    with pytest.raises(VitalError, match="elsewhere") as stays:
        client.clear_stop("a test")
    assert stays.value.code is ErrorCode.ARM_DISPLACED


def test_a_stop_that_somebody_asked_for_is_waited_out_and_one_of_the_gates_own_is_not(running):
    client, system = running
    system.say(client, mode=GateState.LATCHED, stop_code=int(ErrorCode.FORCE_LIMIT), stop_reason="touch")
    client.wait_for_clearance()
    system.say(client, mode=GateState.LATCHED, stop_code=int(ErrorCode.STOPPED), stop_reason="STOP by Anna")
    waiting = threading.Thread(target=client.wait_for_clearance, daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive() and system.asked == []
    system.say(client, mode=GateState.IDLE)
    waiting.join(WAIT_S)
    assert not waiting.is_alive() and system.asked == []


def test_a_stop_that_comes_while_the_gates_own_is_cleared_is_waited_out(running):
    client, system = running
    theirs = GateState(
        mode=GateState.LATCHED, stop_code=int(ErrorCode.STOPPED), stop_reason="STOP by Anna", stop_number=5
    )
    system.overtakes = [theirs]
    system.say(client, mode=GateState.LATCHED, stop_code=int(ErrorCode.FORCE_LIMIT), stop_number=4)
    laying = threading.Thread(target=client.lay_scene, args=(3, "a test"), daemon=True)
    laying.start()
    laying.join(1.0)
    assert laying.is_alive() and system.asked == [("clear", "a test")] and system.stop_numbers == [4]
    system.say(client, mode=GateState.IDLE)
    laying.join(WAIT_S)
    assert system.asked == [("clear", "a test"), ("reset", 3)]


@pytest.mark.parametrize("running", [Operated], indirect=True)
def test_start_after_a_stop_clears_it_and_start_before_it_does_not(running):
    client, system = running
    client.buttons.put(Press.START)
    system.say(
        client, mode=GateState.LATCHED, stop_code=int(ErrorCode.STOPPED), stop_reason="STOP by Anna", stop_number=7
    )
    laying = threading.Thread(target=client.lay_scene, args=(3, "a test"), daemon=True)
    laying.start()
    laying.join(1.0)
    assert laying.is_alive() and system.asked == []
    client.buttons.put(Press.START)
    wait_until(lambda: system.asked == [("clear", "whoever pressed START")], "cleared")
    assert system.stop_numbers == [7] and laying.is_alive()
    system.say(client, mode=GateState.IDLE)
    laying.join(WAIT_S)
    assert system.asked[1:] == [("reset", 3)]


def test_a_session_that_ends_leaves_a_stop_to_who_asked_for_it(running):
    client, system = running
    system.say(client, mode=GateState.LATCHED, stop_code=int(ErrorCode.STOPPED), stop_reason="STOP by Anna")
    client.stopping.set()
    with pytest.raises(VitalError, match="STOP by Anna") as ended:
        client.lay_scene(3, "a test")
    assert ended.value.code is ErrorCode.CANCELLED and system.asked == []


def test_a_simulator_that_refuses_is_told_with_its_code(running):
    client, system = running
    system.refuses = ErrorCode.UNKNOWN_TASK
    with pytest.raises(VitalError, match="no scene") as refused:
        client.lay_scene(1, "a test")
    assert refused.value.code is ErrorCode.UNKNOWN_TASK


def test_an_arm_that_somebody_gives_back_is_waited_for_before_the_scene_is_laid(running):
    client, system = running
    system.say(client, owner="policy")
    laying = threading.Thread(target=client.lay_scene, args=(3, "a test"), daemon=True)
    laying.start()
    assert system.asked == []
    system.say(client, owner="")
    laying.join(WAIT_S)
    assert system.asked == [("reset", 3)]


def test_what_is_missing_is_named_and_what_answers_is_not(running):
    client, _ = running
    assert client.missing() == []
    client.parts = {"recorder": client.create_client(ClearStop, "/nobody/serves/this")}
    assert client.missing() == ["recorder"]


def test_waiting_for_parts_names_what_does_not_come_and_ends_with_the_session(running):
    client, _ = running
    client.parts = {"recorder": client.create_client(ClearStop, "/nobody/serves/this")}
    client.parameters = replace(client.parameters, start_timeout_s=0.1)
    with pytest.raises(VitalError, match="no answer from: recorder") as lost:
        client.wait_for_parts(threading.Event())
    assert lost.value.code is ErrorCode.NODE_LOST
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(VitalError) as cancelled:
        client.wait_for_parts(stopping)
    assert cancelled.value.code is ErrorCode.CANCELLED and client.stopping is stopping


@pytest.mark.parametrize("kind", ALL_PARAMETERS)
def test_every_client_knows_its_task_and_refuses_another(kind):
    assert kind().task == "usb_insertion" and kind().simulated
    with pytest.raises(VitalError, match="Did you mean 'usb_insertion'") as unknown:
        kind(task="usb_insertoin")
    assert unknown.value.code is ErrorCode.UNKNOWN_TASK


@pytest.mark.parametrize(
    ("parameters", "labeller"),
    [
        (RecordParameters(), Labeller.OPERATOR),
        (TrainParameters(), Labeller.SIM_TRUTH),
        (TrainParameters(hardware="robot"), Labeller.OPERATOR),
        (TrainParameters(labeller="operator"), Labeller.OPERATOR),
        (TrainParameters(labeller="person"), Labeller.OPERATOR),
    ],
)
def test_who_labels_follows_from_what_was_asked_for_and_from_the_hardware(parameters, labeller):
    assert parameters.who_labels is labeller


def test_a_training_that_nobody_could_label_is_refused():
    with pytest.raises(VitalError, match="only a simulator knows"):
        TrainParameters(hardware="robot", labeller="sim_truth")


def test_the_sentence_of_a_deployment_is_its_own_or_the_tasks():
    assert DeployParameters(prompt="put it in").sentence == "put it in"
    assert DeployParameters().sentence == "insert the USB stick into the USB port"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (DEMO_PHASES, demo_session.Phase),
        (TRAINING_PHASES, training_session.Phase),
        (OUTCOMES, demo_session.Outcome),
    ],
)
def test_every_word_of_a_session_has_a_number_of_its_own_in_the_messages(table, words):
    assert set(table) == set(words) and len(set(table.values())) == len(table)


def test_every_button_that_an_operator_has_is_a_press():
    assert set(PRESSES.values()) == set(Press) - {Press.TIME_UP}


class Learning:
    """A watch whose messages a test hands in."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("learning", context=self.context)
        self.watch = LearningWatch(self.node)

    def close(self) -> None:
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def learning() -> Iterator[LearningWatch]:
    made = Learning()
    yield made.watch
    made.close()


def test_replay_and_learner_are_missing_until_they_have_spoken_and_why_is_said(learning):
    assert learning.missing() == ["the replay's state", "the learner's weights"]
    learning._on_learner(LearnerState(message="reading demonstrations"))
    assert learning.missing() == ["the replay's state", "the learner's weights (reading demonstrations)"]
    learning._on_replay(ReplayState())
    learning._on_weights(ResidualWeights())
    assert learning.missing() == [] and 0.0 <= learning.weights_age_s < WAIT_S


def test_steps_that_the_learner_has_not_read_are_owed_as_many_updates_as_those_that_it_has(learning):
    assert (learning.updates_owed, learning.steps, learning.updates) == (0, 0, 0)
    learning._on_replay(ReplayState(steps_ever=50, episodes=3))
    learning._on_learner(LearnerState())
    assert learning.updates_owed == 50, "one each, while nobody knows"
    learning._on_learner(LearnerState(owed=40, steps=40, updates=600))
    assert (learning.updates_owed, learning.steps, learning.episodes, learning.updates) == (200, 50, 3, 600)
    learning._on_learner(LearnerState(owed=0, steps=60))
    assert learning.updates_owed == 0
