"""Each device against what it really sends: keys on a terminal, joystick events, a SpaceMouse's states."""

import os
import pty
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from vital_core.errors import VitalError
from vital_teleop.device import Button
from vital_teleop.devices import make_device
from vital_teleop.devices import spacemouse as spacemouse_module
from vital_teleop.devices.gamepad import EVENT_AXIS, EVENT_BUTTON, EVENT_INIT, Gamepad
from vital_teleop.devices.keyboard import Keyboard
from vital_teleop.devices.remote import TWIST_LASTS_S, Remote
from vital_teleop.devices.spacemouse import SpaceMouse
from vital_teleop.key_motion import SLOW, SPEED_M_S


@pytest.fixture
def terminal():
    person, ours = pty.openpty()
    keyboard = Keyboard(ours)
    keyboard.open()
    yield person, keyboard
    keyboard.close()
    os.close(person)
    os.close(ours)


def test_keys_move_clutch_and_speak(terminal):
    person, keyboard = terminal
    assert not keyboard.poll().clutch
    os.write(person, b" w")
    sample = keyboard.poll()
    assert sample.clutch
    np.testing.assert_allclose(sample.twist, [SPEED_M_S, 0, 0, 0, 0, 0])
    os.write(person, b"Q")
    np.testing.assert_allclose(keyboard.poll().twist, [0, 0, -SLOW * SPEED_M_S, 0, 0, 0])
    os.write(person, b"\rynrxf")
    buttons = keyboard.poll().buttons
    assert buttons == (Button.START, Button.SUCCESS, Button.FAILURE, Button.REDO, Button.STOP, Button.FINISH)
    os.write(person, b"g")
    assert keyboard.poll().gripper == 0.0


def test_key_that_is_let_go_stops_moving(terminal, monkeypatch):
    person, keyboard = terminal
    os.write(person, b"w")
    now = keyboard.poll().alive_s
    monkeypatch.setattr("vital_teleop.devices.keyboard.steady_s", lambda: now + 0.2)
    sample = keyboard.poll()
    assert not sample.twist.any() and sample.alive_s == now + 0.2


def test_terminal_is_left_as_it_was():
    import termios

    person, ours = pty.openpty()
    before = termios.tcgetattr(ours)
    keyboard = Keyboard(ours)
    keyboard.open()
    assert termios.tcgetattr(ours)[3] & (termios.ECHO | termios.ICANON) == 0
    keyboard.close()
    assert termios.tcgetattr(ours) == before
    os.close(person)
    os.close(ours)


def test_closed_terminal_is_a_lost_device():
    person, ours = pty.openpty()
    keyboard = Keyboard(ours)
    keyboard.open()
    os.close(person)
    with pytest.raises(VitalError, match="terminal"):
        keyboard.poll()
    os.close(ours)


def test_keyboard_without_a_terminal_says_what_to_do(tmp_path):
    with open(tmp_path / "file", "w") as file, pytest.raises(VitalError, match="needs a terminal"):
        Keyboard(file.fileno()).open()


@pytest.fixture
def pad():
    ours, driver = os.pipe()
    gamepad = Gamepad(fd=ours)
    gamepad.open()

    def send(kind, number, value):
        os.write(driver, struct.pack("<IhBB", 0, value, kind, number))

    yield gamepad, send, driver
    os.close(ours)


def test_gamepad_reads_sticks_triggers_and_buttons(pad):
    gamepad, send, driver = pad
    for axis in (2, 5):
        send(EVENT_AXIS | EVENT_INIT, axis, -32767)
    send(EVENT_BUTTON | EVENT_INIT, 7, 0)
    rest = gamepad.poll()
    assert not rest.twist.any() and not rest.clutch and rest.buttons == () and rest.input_s == float("-inf")
    send(EVENT_BUTTON, 5, 1)
    send(EVENT_AXIS, 1, -32767)
    send(EVENT_AXIS, 5, 32767)
    moving = gamepad.poll()
    assert moving.clutch
    np.testing.assert_allclose(moving.twist, [0.06, 0, 0.06, 0, 0, 0], atol=1e-9)
    send(EVENT_BUTTON, 4, 1)
    np.testing.assert_allclose(gamepad.poll().twist[0], 0.015, atol=1e-9)
    send(EVENT_BUTTON, 7, 1)
    send(EVENT_BUTTON, 6, 1)
    assert gamepad.poll().buttons == (Button.START, Button.STOP)
    send(EVENT_BUTTON, 5, 0)
    assert not gamepad.poll().clutch
    os.close(driver)
    with pytest.raises(VitalError, match="gone"):
        gamepad.poll()


def test_gamepad_event_in_two_pieces_is_one(pad):
    gamepad, _, driver = pad
    event = struct.pack("<IhBB", 0, 1, EVENT_BUTTON, 7)
    os.write(driver, event[:3])
    assert gamepad.poll().buttons == ()
    os.write(driver, event[3:])
    assert gamepad.poll().buttons == (Button.START,)
    os.close(driver)


def test_resting_thumb_does_not_move_the_arm(pad):
    gamepad, send, driver = pad
    send(EVENT_AXIS, 0, 3000)
    assert not gamepad.poll().twist[:2].any()
    os.close(driver)


def test_gamepad_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(VitalError, match="plug it in"):
        Gamepad(str(tmp_path / "js0")).open()


class Cap:
    """Plays states as pyspacemouse gives them."""

    def __init__(self):
        self.state = SimpleNamespace(t=0.0, x=0.0, y=0.0, z=0.0, roll=0.0, pitch=0.0, yaw=0.0, buttons=[0, 0])
        self.closed = False

    def read(self):
        if self.closed:
            raise OSError("read error")
        return self.state

    def close(self):
        self.closed = True


def test_spacemouse_moves_in_the_arms_base(monkeypatch):
    cap, now = Cap(), [5.0]
    monkeypatch.setattr(spacemouse_module, "steady_s", lambda: now[0])
    mouse = SpaceMouse(cap)
    mouse.open()
    cap.state.y = 1.0
    cap.state.x = 0.5
    np.testing.assert_allclose(mouse.poll().twist[:3], [0.06, -0.03, 0.0])
    cap.state.buttons = [1, 0]
    assert mouse.poll().clutch
    cap.state.buttons = [1, 1]
    assert mouse.poll().clutch
    cap.state.buttons = [0, 0]
    assert mouse.poll().buttons == (Button.START,)
    cap.state.buttons = [0, 1]
    mouse.poll()
    now[0] += 1.0
    assert mouse.poll().buttons == (Button.STOP,)
    cap.close()
    with pytest.raises(VitalError, match="gone"):
        mouse.poll()


def test_missing_library_is_named_with_its_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyspacemouse", None)
    with pytest.raises(VitalError, match="pip install pyspacemouse"):
        SpaceMouse().open()


def test_remote_keeps_every_button_and_the_newest_sample():
    remote = Remote()
    assert remote.poll().alive_s == float("-inf")
    remote.put(clutch=True, twist=np.ones(6), button=1)
    remote.put(clutch=False, button=2)
    remote.put(clutch=False, button=99)
    sample = remote.poll()
    assert sample.buttons == (Button.START, Button.SUCCESS) and not sample.clutch and sample.twist is None
    assert remote.poll().buttons == ()


def test_a_velocity_of_a_remote_that_falls_silent_is_soon_over_and_its_clutch_is_not(monkeypatch):
    remote = Remote()
    remote.put(clutch=True, twist=np.ones(6))
    sample = remote.poll()
    assert sample.twist.all()
    # A millisecond to either side: at the moment itself the clock's rounding decides.
    silent_s = TWIST_LASTS_S - 0.001
    monkeypatch.setattr("vital_teleop.devices.remote.steady_s", lambda: sample.alive_s + silent_s)
    assert remote.poll().twist.all()
    silent_s = TWIST_LASTS_S + 0.001
    late = remote.poll()
    assert not late.twist.any() and late.clutch and late.alive_s == sample.alive_s


def test_unknown_device_is_refused_with_the_names():
    with pytest.raises(VitalError, match="keyboard, gamepad, spacemouse, webxr, remote"):
        make_device("theremin")
