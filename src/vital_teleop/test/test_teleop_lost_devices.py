"""A device that goes and comes back: told once, looked for each second, and nothing held on it from before."""

import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_teleop.device import Button
from vital_teleop.devices.gamepad import CLUTCH, EVENT_AXIS, EVENT_BUTTON, EVENT_INIT, SPEED_M_S, Gamepad
from vital_teleop.devices.spacemouse import MOST_REPORTS, SpaceMouse
from vital_teleop.opened_device import OPEN_AGAIN_S, OpenedDevice


class Pad:
    """The kernel's end of a gamepad at ``path``, which can be plugged in and out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = -1

    def plug_in(self) -> None:
        os.mkfifo(self.path)
        self._end = os.open(self.path, os.O_RDWR)

    def unplug(self) -> None:
        os.close(self._end)
        self.path.unlink()

    def send(self, kind: int, number: int, value: int, cut: int = 8) -> None:
        os.write(self._end, struct.pack("<IhBB", 0, value, kind, number)[:cut])


@pytest.fixture
def pad(tmp_path):
    pad = Pad(tmp_path / "js0")
    pad.plug_in()
    return pad


@pytest.fixture
def told():
    return []


@pytest.fixture
def opened(pad, told):
    opened = OpenedDevice(Gamepad(str(pad.path)), told.append)
    assert opened.open()
    yield opened
    opened.device.close()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_gamepad_that_was_pulled_out_is_told_once_and_found_again_within_a_second(pad, told, opened):
    now_s = steady_s()
    pad.send(EVENT_AXIS, 1, -32767)
    alive = opened.read(now_s)
    assert alive.twist[0] == pytest.approx(SPEED_M_S) and told == [""]
    pad.unplug()
    lost = opened.read(now_s)
    assert lost.alive_s == float("-inf") and lost.twist is None and not lost.clutch and "gone" in told[-1]
    opened.read(now_s + 0.9 * OPEN_AGAIN_S)
    assert len(told) == 2, "it is not looked for yet"
    opened.read(now_s + 1.1 * OPEN_AGAIN_S)
    assert "no gamepad" in told[-1] and "plug it in" in told[-1]
    pad.plug_in()
    back = opened.read(steady_s() + 2.1 * OPEN_AGAIN_S)
    assert told[-1] == "" and back.alive_s > 0.0 and not back.twist.any()


def test_what_was_held_when_it_went_is_not_held_when_it_is_back(pad, opened):
    pad.send(EVENT_BUTTON, CLUTCH, 1)
    pad.send(EVENT_AXIS, 0, 32767)
    pad.send(EVENT_BUTTON, 7, 1, cut=5)
    assert opened.read(steady_s()).clutch
    pad.unplug()
    opened.read(steady_s())
    pad.plug_in()
    pad.send(EVENT_BUTTON | EVENT_INIT, CLUTCH, 0)
    pad.send(EVENT_BUTTON, 0, 1)
    back = opened.read(steady_s() + 2 * OPEN_AGAIN_S)
    assert not back.clutch and not back.twist.any() and back.buttons == (Button.SUCCESS,)


def test_going_and_coming_leaves_no_file_open(pad, opened):
    files = open_files()
    for i in range(20):
        pad.unplug()
        opened.read(steady_s() + 10.0 * i)
        pad.plug_in()
        assert opened.read(steady_s() + 10.0 * i + 5.0).alive_s > 0.0
    assert open_files() == files


class Mice:
    """The library `pyspacemouse` with a SpaceMouse that may be plugged in; reports wait in it until they are read."""

    def __init__(self) -> None:
        self.plugged_in = True
        self.closed = 0
        self.reports: list[dict] = []
        self._state = SimpleNamespace(t=-1.0, x=0.0, y=0.0, z=0.0, roll=0.0, pitch=0.0, yaw=0.0, buttons=[0, 0])

    def open(self) -> "Mice":
        if not self.plugged_in:
            raise RuntimeError("No connected or supported devices found.")
        return self

    def read(self) -> SimpleNamespace:
        if not self.plugged_in:
            raise OSError("read error")
        if self.reports:
            self._state.__dict__.update(self.reports.pop(0), t=self._state.t + 0.01)
        return self._state

    def close(self) -> None:
        self.closed += 1
        if not self.plugged_in:
            raise OSError("no such device")


@pytest.fixture
def mice(monkeypatch):
    mice = Mice()
    monkeypatch.setitem(sys.modules, "pyspacemouse", mice)
    return mice


def test_spacemouse_that_is_not_there_is_a_lost_device_with_what_to_do(mice):
    mice.plugged_in = False
    with pytest.raises(VitalError, match=r"No connected or supported devices.*plug it in") as refusal:
        SpaceMouse().open()
    assert refusal.value.code is ErrorCode.DEVICE_LOST


def test_spacemouse_that_was_pulled_out_is_looked_for_anew(mice, told):
    opened = OpenedDevice(SpaceMouse(), told.append)
    assert opened.read(steady_s()).alive_s > 0.0
    mice.plugged_in = False
    now_s = steady_s()
    assert opened.read(now_s).alive_s == float("-inf") and "gone" in told[-1] and mice.closed == 1
    mice.plugged_in = True
    assert opened.read(now_s + 2 * OPEN_AGAIN_S).alive_s > 0.0 and told[-1] == ""


def test_every_report_since_the_last_poll_counts_and_the_newest_moves(mice):
    mouse = SpaceMouse()
    mouse.open()
    mouse.poll()
    mice.reports = [{"y": 1.0}, {"buttons": [1, 0]}, {"buttons": [0, 0]}, {"y": 0.0}]
    sample = mouse.poll()
    assert sample.clutch and not sample.twist.any() and not mice.reports
    assert mouse.poll().clutch, "no report is no change"
    mice.reports = [{"buttons": [0, 1]}, {"buttons": [0, 0]}, {"buttons": [0, 1]}, {"buttons": [0, 0]}]
    assert mouse.poll().buttons == (Button.START, Button.SUCCESS)


def test_mouse_that_never_stops_reporting_does_not_hold_the_poll(mice):
    mouse = SpaceMouse()
    mouse.open()
    mice.reports = [{"y": 0.5}] * (3 * MOST_REPORTS)
    mouse.poll()
    assert len(mice.reports) == 2 * MOST_REPORTS
