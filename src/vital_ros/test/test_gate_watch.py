"""The gate's heartbeat: what counts as silence, and what is the listener's own."""

import threading

import pytest

from vital_interfaces.msg import GateState
from vital_ros.gate_watch import FROZEN_S, SILENT_S, GateWatch, Heartbeat


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def listen(heartbeat: Heartbeat, clock: Clock, for_s: float, *, heard: bool) -> None:
    for _ in range(round(for_s / 0.1)):
        clock.now_s += 0.1
        heartbeat.wake()
        if heard:
            heartbeat.heard()


def test_silence_is_counted_from_the_last_sign_of_life():
    clock = Clock()
    heartbeat = Heartbeat(clock)
    listen(heartbeat, clock, 2.0, heard=True)
    assert heartbeat.silent_s() == pytest.approx(0.0)
    listen(heartbeat, clock, 1.2, heard=False)
    assert heartbeat.silent_s() == pytest.approx(1.2) and heartbeat.silent_s() > SILENT_S


def test_one_that_was_never_heard_is_silent_since_the_beginning():
    clock = Clock()
    heartbeat = Heartbeat(clock)
    listen(heartbeat, clock, 3.0, heard=False)
    assert heartbeat.silent_s() == pytest.approx(3.0)


def test_a_listener_that_was_frozen_does_not_call_the_others_silent():
    clock = Clock()
    heartbeat = Heartbeat(clock)
    listen(heartbeat, clock, 1.0, heard=True)
    clock.now_s += 10.0
    assert heartbeat.silent_s() == pytest.approx(0.0)
    listen(heartbeat, clock, 1.1, heard=False)
    assert heartbeat.silent_s() > SILENT_S, "but from then on it counts"


def test_short_sleeps_of_the_listener_are_no_excuse():
    clock = Clock()
    heartbeat = Heartbeat(clock)
    listen(heartbeat, clock, 1.0, heard=True)
    for _ in range(4):
        clock.now_s += FROZEN_S * 0.9
        heartbeat.wake()
    assert heartbeat.silent_s() > SILENT_S


def test_a_scene_waits_for_the_owner_to_give_the_arm_back_and_not_for_ever():
    watch = GateWatch.__new__(GateWatch)
    watch.state = GateState(owner="policy")
    releasing = threading.Timer(0.15, lambda: setattr(watch, "state", GateState(owner="")))
    releasing.start()
    watch.wait_until_free(10.0)
    assert watch.state.owner == ""
    watch.state = GateState(owner="policy")
    watch.wait_until_free(0.05)
    assert watch.state.owner == "policy"
