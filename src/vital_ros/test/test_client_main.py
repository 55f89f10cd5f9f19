"""Waiting for a system that comes up: as long as something changes, and no longer."""

import threading
from types import SimpleNamespace

import pytest

from vital_core.errors import VitalError
from vital_ros.process.client_main import wait_until_ready

LOGGER = SimpleNamespace(info=lambda _: None)
NODE = SimpleNamespace(get_logger=lambda: LOGGER)


def test_what_gets_on_is_waited_for_beyond_the_time_limit():
    said = [[f"the learner's weights ({i} of 9)"] for i in range(9)]
    left = iter([name for names in said for name in (names, names)] + [[]])
    wait_until_ready(NODE, lambda: next(left), threading.Event(), timeout_s=0.7)  # some 4 s in all


def test_what_stands_still_is_named_when_the_time_is_up():
    with pytest.raises(VitalError, match=r"NODE_LOST.*no answer from: replay, within 0 s"):
        wait_until_ready(NODE, lambda: ["replay"], threading.Event(), timeout_s=0.3)


def test_a_signal_ends_the_waiting():
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(VitalError, match="CANCELLED"):
        wait_until_ready(NODE, lambda: ["replay"], stopping, timeout_s=30.0)
