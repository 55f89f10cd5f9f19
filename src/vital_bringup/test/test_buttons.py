"""The operator's buttons: nothing pressed is lost, what waits ends, and a label is no command."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_bringup.sessions.buttons import LABELS, Buttons, Press
from vital_core.errors import ErrorCode, VitalError


def yes() -> bool:
    return True


def no() -> bool:
    return False


def pressed(*presses: Press) -> Buttons:
    buttons = Buttons()
    for press in presses:
        buttons.put(press)
    return buttons


def taken(buttons: Buttons) -> list[Press]:
    """All that is left, in order."""
    left = []
    while (press := buttons.wait(0.0, stopped=no)) is not Press.TIME_UP:
        left.append(press)
    return left


REAL = st.lists(st.sampled_from([press for press in Press if press is not Press.TIME_UP]), max_size=12)


@given(REAL)
def test_presses_come_in_the_order_in_which_they_were_made(presses):
    assert taken(pressed(*presses)) == presses


@given(REAL)
def test_labels_are_taken_in_order_and_all_else_stays_in_order(presses):
    buttons = pressed(*presses)
    assert buttons.take_labels() == [press is Press.SUCCESS for press in presses if press in LABELS]
    assert buttons.take_labels() == []
    assert taken(buttons) == [press for press in presses if press not in LABELS]


@given(REAL)
def test_only_finish_outlives_forgetting(presses):
    buttons = pressed(*presses)
    buttons.forget()
    assert taken(buttons) == ([Press.FINISH] if Press.FINISH in presses else [])


def test_waiting_ends_with_the_press_of_another_thread():
    buttons, heard = Buttons(), []
    waiting = threading.Thread(target=lambda: heard.append(buttons.wait(30.0, stopped=no)))
    waiting.start()
    buttons.put(Press.SUCCESS)
    waiting.join(10.0)
    assert heard == [Press.SUCCESS]


def test_time_is_up_when_nothing_is_pressed():
    assert Buttons().wait(0.15, stopped=no) is Press.TIME_UP


def test_an_interruption_counts_as_stopped_but_what_was_pressed_comes_first():
    buttons = pressed(Press.SUCCESS)
    assert buttons.wait(None, stopped=no, interrupted=yes) is Press.SUCCESS
    assert buttons.wait(None, stopped=no, interrupted=yes) is Press.STOPPED


def test_a_session_that_is_stopped_waits_for_nobody():
    with pytest.raises(VitalError) as stopped:
        pressed(Press.START).wait(None, stopped=yes)
    assert stopped.value.code is ErrorCode.CANCELLED


def test_the_scene_is_laid_once_start_is_pressed_whatever_came_before():
    buttons = pressed(Press.SUCCESS, Press.REDO, Press.START, Press.FAILURE)
    buttons.wait_for_start(stopped=no)
    assert taken(buttons) == [Press.FAILURE]


def test_finish_while_the_scene_is_laid_ends_the_session():
    with pytest.raises(VitalError, match="finished by the operator") as finished:
        pressed(Press.REDO, Press.FINISH, Press.START).wait_for_start(stopped=no)
    assert finished.value.code is ErrorCode.CANCELLED
