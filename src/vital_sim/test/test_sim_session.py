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


def wait_until(condition, timeout_s=30.0):
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


@pytest.fixture
def session():
    """Its wrist camera takes its time to hand out an image."""
    events: list[tuple[str, object]] = []

    def note(name, value=None):
        events.append((name, value))

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
    made.events = events
    yield made
    made.close()


def test_joint_states_do_not_wait_for_a_slow_camera(session):
    wait_until(lambda: sum(name == "wrist ends" for name, _ in session.events) >= 3)
    names = [name for name, _ in session.events]
    begin = names.index("wrist begins", names.index("wrist begins") + 1)
    during = names[begin : names.index("wrist ends", begin)]
    assert during.count("joints") >= 5 and "scene" in names
    assert session.frames_dropped > 0


def test_images_carry_the_moment_that_they_show(session):
    wait_until(lambda: sum(name == "wrist begins" for name, _ in session.events) >= 3)
    stamps = [value for name, value in session.events if name == "wrist begins"]
    assert stamps == sorted(set(stamps))


def test_reset_waits_for_the_image_that_is_being_taken(session):
    wait_until(lambda: (session.events and session.events[-1][0] == "wrist begins") or len(session.events) > 2000)
    assert session.reset("usb_insertion", 7).result(30.0) == 2
    assert session.seed == 7


def test_failing_camera_ends_the_session(session):
    session._wrist.failure = RuntimeError("no light")
    wait_until(lambda: session.failure is not None)
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
