"""The arm asked for and given back, buttons told: over real DDS, with a gate that answers when the test lets it."""

from collections.abc import Callable

import pytest
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_domain import own_domain

from vital_core.clock import steady_s
from vital_interfaces.msg import GateState, TeleopEvent
from vital_interfaces.srv import AcquireControl, Stop
from vital_teleop.arm_claim import ASK_AGAIN_S, ArmClaim
from vital_teleop.button_presses import BOUNCE_S, ButtonPresses
from vital_teleop.device import Button
from vital_teleop.teleop_messages import OWNER

PATIENCE_S = 20.0
DOMAIN = own_domain()


class Gate(Node):
    """Answers each request with the next of ``answers``, (granted, token, message); keeps what it was asked."""

    def __init__(self, context: Context) -> None:
        super().__init__("gate", context=context)
        self.asked: list[AcquireControl.Request] = []
        self.answers: list[tuple[bool, int, str]] = []
        self.stops: list[str] = []
        self.events: list[tuple[str, int]] = []
        self.create_service(AcquireControl, "/vital/acquire_control", self._acquire)
        self.create_service(Stop, "/vital/stop", self._stop)
        self.create_subscription(TeleopEvent, "/vital/teleop_event", self._event, 10)

    def _acquire(self, request: AcquireControl.Request, response: AcquireControl.Response) -> AcquireControl.Response:
        self.asked.append(request)
        if not request.release:
            response.granted, response.token, response.message = self.answers.pop(0)
        return response

    def _stop(self, request: Stop.Request, response: Stop.Response) -> Stop.Response:
        self.stops.append(request.reason)
        return response

    def _event(self, message: TeleopEvent) -> None:
        self.events.append((message.device, message.kind))


class Rig:
    """Claim and gate in this thread, each with an executor of its own: nobody hears before the test says so."""

    def __init__(self) -> None:
        self.context = Context()
        self.context.init(domain_id=DOMAIN)
        self.gate, self.node = Gate(self.context), Node("teleop", context=self.context)
        self.told: list[str] = []
        self.client = self.node.create_client(AcquireControl, "/vital/acquire_control")
        self.claim = ArmClaim(self.client, "usb_insertion", take_over=True, told=self.told.append)
        self.gates, self.ours = (SingleThreadedExecutor(context=self.context) for _ in range(2))
        self.gates.add_node(self.gate)
        self.ours.add_node(self.node)
        assert self.client.wait_for_service(PATIENCE_S)

    def until(self, executor: SingleThreadedExecutor, condition: Callable[[], object]) -> None:
        deadline_s = steady_s() + PATIENCE_S
        while not condition():
            assert steady_s() < deadline_s, "waited in vain"
            executor.spin_once(timeout_sec=0.1)

    def gate_answers(self, count: int = 1) -> None:
        expected = len(self.gate.asked) + count
        self.until(self.gates, lambda: len(self.gate.asked) == expected)

    def claim_hears(self, condition: Callable[[], object]) -> None:
        self.until(self.ours, condition)

    def granted(self, token: int) -> None:
        """Have the arm."""
        self.gate.answers.append((True, token, "yours"))
        self.claim.follow(True, 0.0)
        self.gate_answers()
        self.claim_hears(lambda: self.claim.owned)


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    for executor in (rig.gates, rig.ours):
        executor.shutdown()
    for node in (rig.gate, rig.node):
        node.destroy_node()
    rig.context.try_shutdown()


def state(owner: str = OWNER, mode: int = GateState.HOLDING, reason: str = "") -> GateState:
    return GateState(owner=owner, mode=mode, stop_reason=reason)


def test_arm_is_asked_for_with_task_and_last_token_and_given_back_with_the_one_in_force(rig):
    rig.granted(7)
    first = rig.gate.asked[0]
    assert (first.owner, first.task, first.take_over, first.release) == (OWNER, "usb_insertion", True, False)
    assert rig.claim.token == 7 and rig.told == [""]
    rig.claim.follow(True, 10.0)
    rig.claim.follow(False, 10.1)
    rig.gate_answers()
    assert not rig.claim.owned and rig.gate.asked[1].release and rig.gate.asked[1].token == 7
    rig.granted(8)
    assert rig.gate.asked[2].token == 7, "the gate may know it by that"


def test_refusal_is_told_and_asked_again(rig):
    rig.gate.answers = [(False, 0, "'reach' has the arm"), (True, 3, "yours")]
    rig.claim.follow(True, 0.0)
    rig.gate_answers()
    rig.claim_hears(lambda: rig.told)
    assert rig.told == ["'reach' has the arm"] and not rig.claim.owned
    rig.claim.follow(True, 0.03)
    rig.gate_answers()
    rig.claim_hears(lambda: rig.claim.owned)
    assert rig.told[1:] == [""]


def test_gate_that_does_not_answer_is_asked_again_after_its_time_and_not_before(rig):
    rig.gate.answers = [(True, 4, "yours"), (False, 0, "'teleop' owns the arm by another acquisition")]
    for i in range(10):
        rig.claim.follow(True, i * ASK_AGAIN_S / 9)
    rig.claim.follow(True, 1.1 * ASK_AGAIN_S)
    rig.gate_answers(2)
    rig.claim_hears(lambda: rig.claim.owned)
    for _ in range(3):
        rig.ours.spin_once(timeout_sec=0.05)
    assert rig.claim.owned and rig.claim.token == 4, "an answer to the older question takes nothing away"


def test_arm_granted_after_the_clutch_has_opened_goes_straight_back(rig):
    rig.gate.answers = [(True, 9, "yours")]
    rig.claim.follow(True, 0.0)
    rig.claim.follow(False, 0.1)
    rig.gate_answers(2)
    assert rig.gate.asked[1].release and rig.gate.asked[1].token == 0
    rig.gates.add_node(rig.node)
    rig.gate_answers()
    assert rig.gate.asked[2].release and rig.gate.asked[2].token == 9 and not rig.claim.owned and rig.told == []


def test_who_has_the_arm_now_or_why_it_stopped_is_said(rig):
    assert rig.claim.taken_away(state(owner="reach")) == "", "it never was ours"
    rig.claim.follow(True, 0.0)
    assert rig.claim.taken_away(state(owner="")) == "", "a state from before the answer says nothing"
    rig.gate.answers.append((True, 1, "yours"))
    rig.gate_answers()
    rig.claim_hears(lambda: rig.claim.owned)
    assert rig.claim.taken_away(state()) == ""
    assert rig.claim.taken_away(state(owner="reach")) == "'reach' has the arm"
    assert rig.claim.taken_away(state(mode=GateState.LATCHED, reason="force of 30 N")) == "force of 30 N"
    assert rig.claim.taken_away(state(mode=GateState.LATCHED)) == "stopped"


def test_button_is_an_event_once_a_bounce_and_stop_reaches_the_gate(rig):
    presses = ButtonPresses(rig.node, "gamepad")
    assert presses._stop.wait_for_service(PATIENCE_S)
    rig.until(rig.gates, lambda: rig.node.count_subscribers("/vital/teleop_event"))
    rig.until(rig.gates, lambda: presses._event.get_subscription_count())
    presses.press(Button.SUCCESS, 1.0)
    presses.press(Button.SUCCESS, 1.0 + 0.9 * BOUNCE_S)
    presses.press(Button.STOP, 1.0 + 0.9 * BOUNCE_S)
    presses.press(Button.SUCCESS, 1.0 + 1.1 * BOUNCE_S)
    rig.until(rig.gates, lambda: len(rig.gate.events) == 3 and rig.gate.stops)
    assert rig.gate.events == [("gamepad", b) for b in (Button.SUCCESS, Button.STOP, Button.SUCCESS)]
    assert rig.gate.stops == ["STOP on the gamepad"]
