"""The keys of the page as a hand: as a rule of its own, and through the monitor to `/vital/operator_input`."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_client import PageClient
from stack_for_pages import Running
from waiting import stays

from vital_interfaces.msg import OperatorInput, SessionState, TeleopEvent, TeleopState
from vital_monitor.drawing import keys as drawn
from vital_monitor.page.key_part import WORDS
from vital_monitor.state.heard import Kind, Teleop
from vital_monitor.state.key_hand import HELD_FOR_S, KEYS, MOVES, TOLD, KeyHand
from vital_monitor.state.offers import HEARD, why_no_keys
from vital_teleop.key_motion import MOVES_FOR_S, SLOW, SPEED_M_S, SPEED_RAD_S

SIT, TAKE, LEAVE = "STEER FROM THIS PAGE", "MOVE THE ARM BY KEYS", "LEAVE THE KEYS"
HERE, OTHER = 1, 2
STROKES = st.lists(st.tuples(st.sampled_from([HERE, OTHER]), st.sampled_from(KEYS), st.floats(0.0, 1.0)), max_size=40)


def a_hand() -> KeyHand:
    hand = KeyHand()
    hand.take(HERE)
    return hand


@settings(deadline=None, max_examples=100)
@given(STROKES)
def test_a_hand_rests_a_moment_after_its_last_stroke_and_never_moves_faster_than_its_speed(strokes) -> None:
    hand, now_s = a_hand(), 0.0
    for page, key, passed_s in strokes:
        now_s += passed_s
        hand.stroke(page, key, now_s)
        twist = hand.now(now_s).twist
        assert np.abs(twist[:3]).max() <= SPEED_M_S and np.abs(twist[3:]).max() <= SPEED_RAD_S
    assert not hand.now(now_s + MOVES_FOR_S).twist.any()


@settings(deadline=None, max_examples=50)
@given(STROKES)
def test_keys_of_another_page_do_nothing(strokes) -> None:
    hand = a_hand()
    assert not any(hand.stroke(OTHER, key, at_s) for _, key, at_s in strokes)
    assert not hand.now(1.0).clutch and not hand.now(0.0).twist.any() and hand.now(0.0).closed


def test_every_key_has_one_meaning_which_the_page_tells() -> None:
    told = {key for keys, _ in TOLD for key in keys.replace(",", "").split()}
    assert told == set(KEYS) and len(KEYS) == len(set(KEYS))
    assert not set(KEYS) & set("WASDQE"), "viser moves the camera by these"
    assert len({way for way in MOVES.values()}) == 12


def test_a_held_key_moves_on_and_a_held_switch_switches_once() -> None:
    hand = a_hand()
    for i in range(30):
        hand.stroke(HERE, "I", i / 30.0)
        assert hand.now(i / 30.0).twist[0] == SPEED_M_S
    anew = [hand.stroke(HERE, "Y", at_s) for at_s in (2.0, 2.5, 2.53, 2.56)]
    assert anew == [True, False, False, False]
    for at_s in (3.0, 3.6, 3.63):  # the first repetition may come late
        hand.stroke(HERE, "G", at_s)
    assert not hand.now(4.0).closed
    hand.stroke(HERE, "G", 3.63 + HELD_FOR_S)
    assert hand.now(5.0).closed
    hand.stroke(HERE, "V", 6.0)
    hand.stroke(HERE, "U", 6.1)
    np.testing.assert_allclose(hand.now(6.1).twist, [0, 0, -SLOW * SPEED_M_S, 0, 0, 0])


def test_the_clutch_is_closed_by_one_key_and_opened_by_another_by_a_stop_and_by_leaving() -> None:
    hand = a_hand()
    for _ in range(2):  # held or pressed again, it stays closed
        hand.stroke(HERE, "C", 0.0)
        assert hand.now(0.0).clutch
    hand.stroke(HERE, "X", 0.1)
    assert not hand.now(0.1).clutch
    hand.stroke(HERE, "C", 1.0)
    hand.stroke(HERE, "I", 1.0)
    hand.open_clutch()
    assert not hand.now(1.0).clutch and not hand.now(1.0).twist.any()
    hand.stroke(HERE, "C", 2.0)
    hand.leave(OTHER)
    assert hand.now(2.0).clutch
    hand.leave(HERE)
    assert hand.now(2.0).clutch is False and hand.now(2.1) is None, "said once, then silent"


@pytest.mark.parametrize(
    ("teleop", "taken", "why"),
    [
        (None, False, ""),
        (Teleop("gamepad", "idle", ""), False, "device:=remote"),
        (Teleop("remote", "idle", ""), True, "another page"),
        (Teleop("remote", "engaged", ""), False, "another program"),
        (Teleop("remote", "lost", ""), False, None),
    ],
)
def test_keys_are_offered_where_they_would_be_heard_and_the_page_says_why_not(teleop, taken, why) -> None:
    got = why_no_keys(teleop, taken)
    assert got is None if why is None else why in got and got in drawn.keys_told(got)


def test_the_page_tells_clutch_gripper_and_what_the_arm_makes_of_it() -> None:
    hand = a_hand()
    hand.stroke(HERE, "C", 0.0)
    told = drawn.hand_told(hand.now(0.0), Teleop("remote", "waiting", "<reach> has the arm"))
    assert "CLUTCH CLOSED" in told and "is asked for: &lt;reach&gt; has the arm" in told
    assert all(meaning in told for _, meaning in TOLD)


class Teleoperation:
    """Says what a teleoperation node would of the hand that it hears, as often, and keeps what it has heard."""

    def __init__(self, here: Running) -> None:
        self.heard: list[tuple[float, OperatorInput]] = []
        self.device, self.others = "remote", False
        self._say = here.stack.create_publisher(TeleopState, "/vital/teleop_state", 10)
        self._hear = here.stack.create_subscription(OperatorInput, "/vital/operator_input", self._on_input, 10)
        self._stack, self._done = here.stack, threading.Event()
        self._thread = threading.Thread(target=self._tell)
        self._thread.start()

    def _on_input(self, message: OperatorInput) -> None:
        self.heard.append((time.monotonic(), message))

    def _tell(self) -> None:
        while not self._done.wait(0.1):
            alive = self.others or (bool(self.heard) and time.monotonic() - self.heard[-1][0] < 0.5)
            mode = TeleopState.ENGAGED if alive and self.last.clutch else TeleopState.IDLE
            self._say.publish(TeleopState(device=self.device, mode=mode if alive else TeleopState.LOST))

    @property
    def last(self) -> OperatorInput:
        """The newest sample."""
        return self.heard[-1][1] if self.heard else OperatorInput()

    def close(self) -> None:
        """Say nothing more."""
        self._done.set()
        self._thread.join()
        self._stack.destroy_publisher(self._say)
        self._stack.destroy_subscription(self._hear)


@pytest.fixture
def teleop(running) -> Iterator[Teleoperation]:
    here = Teleoperation(running)
    running.stack.lead(SessionState.READY, "close the clutch and press START")
    yield here
    running.close_pages()
    here.close()
    running.stack.lead(SessionState.FINISHED, "")
    running.stack.events.clear()


def at_the_keys(running, name: str = "Anna") -> PageClient:
    page = running.page()
    page.until(lambda: page.offers(SIT))
    page.write("your name", name)
    time.sleep(0.1)
    page.press(SIT)
    page.until(lambda: page.offers(TAKE))
    page.press(TAKE)
    page.until(lambda: page.offers(LEAVE) and "CLUTCH OPEN" in page.text)
    return page


def hold(page: PageClient, key: str, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        page.trigger(f"arm: {key}")
        time.sleep(1.0 / 30.0)


def test_keys_of_the_page_are_a_hand_for_the_teleoperation_node(running, teleop) -> None:
    page = at_the_keys(running)
    page.trigger("arm: C")
    running.until(lambda: teleop.last.clutch)
    page.until(lambda: "CLUTCH CLOSED" in page.text and "the arm follows the hand" in page.text)
    hold(page, "U", 0.5)
    down = [m for _, m in teleop.heard if m.kind == OperatorInput.TWIST]
    assert down and all(m.twist.linear.z == -SPEED_M_S and m.clutch and m.device == "monitor" for m in down)
    running.until(lambda: teleop.last.kind == OperatorInput.NONE and teleop.last.clutch)
    page.trigger("arm: B")
    running.until(lambda: [e.kind for e in running.stack.events] == [TeleopEvent.START])
    assert teleop.last.clutch


@pytest.mark.parametrize("how", ["page closed", "seat given up", "STOP", "keys left"])
def test_the_clutch_opens_when_the_hand_is_gone(running, teleop, how) -> None:
    page = at_the_keys(running)
    page.trigger("arm: C")
    hold(page, "U", 0.2)
    running.until(lambda: teleop.last.clutch)
    if how == "page closed":
        running.close_pages()
    else:
        page.press({"seat given up": "GIVE UP STEERING", "STOP": "STOP", "keys left": LEAVE}[how])
    running.until(lambda: not teleop.last.clutch and teleop.last.kind == OperatorInput.NONE)
    if how != "STOP":
        time.sleep(0.2)
        said = len(teleop.heard)
        stays(lambda: len(teleop.heard) == said, 0.5, "silence of a hand that is gone")


def test_a_word_by_key_opens_the_clutch_since_the_arm_goes_its_own_way_next(running, teleop) -> None:
    running.stack.lead(SessionState.RECORDING, "show it")
    page = at_the_keys(running)
    page.trigger("arm: C")
    running.until(lambda: teleop.last.clutch)
    page.until(lambda: page.offers("SUCCESS"))
    page.trigger("arm: Y")
    running.until(lambda: [e.kind for e in running.stack.events] == [TeleopEvent.SUCCESS])
    running.until(lambda: not teleop.last.clutch)
    page.trigger("arm: B")  # START is not offered now
    stays(lambda: len(running.stack.events) == 1, 0.5, "the one event")


def test_the_clutch_is_open_while_the_session_wants_hands_off(running, teleop) -> None:
    page = at_the_keys(running)
    page.trigger("arm: C")
    running.until(lambda: teleop.last.clutch)
    running.stack.lead(SessionState.PREPARING, "hands off: the arm moves to a start pose")  # an attempt was not begun
    running.until(lambda: not teleop.last.clutch)
    page.until(lambda: "hands off" in page.text and "CLUTCH OPEN" in page.text)
    running.stack.lead(SessionState.READY, "close the clutch and press START")
    page.until(lambda: "close the clutch" in page.text)
    page.trigger("arm: C")
    running.until(lambda: teleop.last.clutch)


def test_a_page_without_the_seat_has_no_keys(running, teleop) -> None:
    at_the_keys(running)
    other = running.page()
    other.until(lambda: "Anna steers from another page" in other.text and "arm: C" in other.commands)
    assert not other.offers(TAKE)
    hidden = next(uuid for uuid, part in other.parts.items() if part.get("label") == TAKE)
    other.send({"type": "GuiUpdateMessage", "uuid": hidden, "updates": {"value": True}})
    other.trigger("arm: C")
    stays(lambda: not teleop.last.clutch, 0.5, "the open clutch")


def test_another_device_or_another_hand_is_named(running, teleop) -> None:
    teleop.device = "gamepad"
    page = running.page()
    page.until(lambda: page.offers(SIT))
    page.write("your name", "Anna")
    time.sleep(0.1)
    page.press(SIT)
    page.until(lambda: "the hand is on the gamepad" in page.text)
    teleop.device, teleop.others = "remote", True
    page.until(lambda: "another program is the hand" in page.text)
    assert not page.offers(TAKE)


def test_a_page_whose_keys_are_held_is_at_rest_while_it_hangs(running, teleop) -> None:
    page = at_the_keys(running)
    page.trigger("arm: C")
    hold(page, "U", 0.3)
    # From here on the page says nothing, as one that hangs or has lost the keyboard; its connection stays.
    running.until(lambda: teleop.last.kind == OperatorInput.NONE)
    stays(lambda: teleop.last.kind == OperatorInput.NONE and teleop.last.clutch, 0.5, "the hand at rest")


def test_a_monitor_that_hangs_says_nothing_of_its_hand(running, teleop) -> None:
    """The teleoperation node then takes the hand for lost after half a second, and its motion for over before."""
    page = at_the_keys(running)
    page.trigger("arm: C")
    hold(page, "U", 0.2)
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        time.sleep(0.2)
        said = len(teleop.heard)
        stays(lambda: len(teleop.heard) == said, 0.5, "silence")
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    running.until(lambda: len(teleop.heard) > said and teleop.last.kind == OperatorInput.NONE)


def test_every_word_is_offered_in_some_phase() -> None:
    assert set(WORDS.values()) <= set.union(*HEARD[Kind.RECORD].values())
