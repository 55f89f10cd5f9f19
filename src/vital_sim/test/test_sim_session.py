"""The real-time session: joint states do not wait for a camera, frames of a slow one are dropped and counted."""

import threading
import time

import mujoco
import numpy as np
import pytest

from vital_sim.cameras.camera_worker import CameraWorker
from vital_sim.ros.sim_session import SimSession
from vital_sim.ros.sim_sinks import Sinks

SLOW_S = 0.4


class Journal:
    """What the session has told, in its order."""

    def __init__(self):
        self.events: list[tuple[str, object]] = []
        self._came = threading.Condition()

    def note(self, name, value=None):
        with self._came:
            self.events.append((name, value))
            self._came.notify_all()

    def until(self, condition, timeout_s=30.0):
        """Wait for the event that makes the condition true."""
        with self._came:
            assert self._came.wait_for(condition, timeout_s)

    def count(self, name):
        return sum(found == name for found, _ in self.events)


@pytest.fixture
def session():
    """Its wrist camera takes its time to hand out an image."""
    journal = Journal()
    note = journal.note

    def slow_wrist(image, stamp):
        note("wrist begins", stamp)
        time.sleep(SLOW_S)
        note("wrist ends", [part.shape for part in image])

    ticks = iter(range(10**9))
    sinks = Sinks(
        joints=lambda positions, velocities: note("joints"),
        tactile=lambda reading, valid: note("tactile"),
        wrist=slow_wrist,
        scene=lambda images, stamp: note("scene", [p.shape for p in images]),
        truth=lambda truth, seed, episode: note("truth"),
        reference=lambda positions, velocities: note("reference"),
        reset=lambda positions: note("reset"),
        wants_wrist=lambda: True,
        wants_foreground=lambda: True,
        wants_scene=lambda: True,
        stamp=lambda: next(ticks),
    )
    made = SimSession("usb_insertion", 0, "green", sinks)
    made.journal = journal
    yield made
    made.close()


def test_joint_states_do_not_wait_for_a_slow_camera(session):
    session.journal.until(lambda: session.journal.count("wrist ends") >= 3)
    names = [name for name, _ in session.journal.events]
    begin = names.index("wrist begins", names.index("wrist begins") + 1)
    during = names[begin : names.index("wrist ends", begin)]
    assert during.count("joints") >= 5 and "scene" in names
    assert session.frames_dropped > 0


def test_images_carry_the_moment_that_they_show(session):
    session.journal.until(lambda: session.journal.count("wrist begins") >= 3)
    stamps = [value for name, value in session.journal.events if name == "wrist begins"]
    assert stamps == sorted(set(stamps))


def test_reset_waits_for_the_image_that_is_being_taken(session):
    events = session.journal.events
    session.journal.until(lambda: events and events[-1][0] == "wrist begins")
    assert session.reset("usb_insertion", 7).result(30.0) == 2
    assert session.seed == 7


def test_failing_camera_ends_the_session(session):
    session.journal.until(lambda: session.journal.count("truth") > 0)
    session._wrist.failure = RuntimeError("no light")
    session._thread.join(30.0)
    assert "no light" in str(session.failure)


class Still:
    """A camera that shows how often it was asked."""

    def __init__(self, model):
        self.shots = 0
        self.closed = False

    def render(self, data):
        self.shots += 1
        return self.shots

    def reset(self, seed):
        self.shots = 100 * seed

    def close(self):
        self.closed = True


def test_worker_turns_down_what_comes_too_soon():
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody/></mujoco>")
    data = mujoco.MjData(model)
    got = []

    may_go_on = threading.Event()

    def deliver(image, stamp):
        got.append((image, stamp))
        assert may_go_on.wait(5.0)

    worker = CameraWorker(Still, deliver)
    worker.build(model)
    worker.reset(1)
    offers = [worker.offer(data, stamp) for stamp in range(3)]
    assert offers == [True, False, False]
    may_go_on.set()
    worker.reset(2)
    assert got == [(101, 0)] and worker.delivered == 1
    camera = worker.camera
    worker.close()
    assert camera is not None and camera.closed
    assert np.isfinite(data.time)
