"""The real-time session: joint states do not wait for a camera, frames of a slow one are dropped and counted."""

import threading
import time

import mujoco
import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_sim.cameras.camera_worker import CameraWorker
from vital_sim.ros.joint_trajectory import Points
from vital_sim.ros.sim_session import SimSession
from vital_sim.ros.sim_sinks import Sinks
from vital_sim.world.variation import PLACES

SLOW_S = 0.4


class Journal:
    """What the session has told, in its order."""

    def __init__(self):
        self.events: list[tuple[str, object]] = []
        self.shown = False
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
        show=lambda image, stamp: note("show"),
        truth=lambda truth, seed, episode: note("truth"),
        reference=lambda positions, velocities: note("reference"),
        reset=lambda positions: note("reset"),
        wants_wrist=lambda: True,
        wants_foreground=lambda: True,
        wants_scene=lambda: True,
        wants_show=lambda: False,
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


SENSORS = ("joints", "tactile", "wrist", "scene", "show", "truth", "reference", "reset")


@pytest.fixture(scope="module")
def blind_session():
    """Nobody looks through its cameras; each event is told with the simulated time and the scene."""
    journal = Journal()

    def note(name):
        return lambda *values: journal.note(name, (made.world.time_s, made.seed, values))

    sinks = Sinks(
        **{name: note(name) for name in SENSORS},
        wants_wrist=lambda: False,
        wants_foreground=lambda: False,
        wants_scene=lambda: False,
        wants_show=lambda: journal.shown,
        stamp=lambda: None,
    )
    made = SimSession("usb_insertion", 0, "plain", sinks)
    made.journal = journal
    journal.until(lambda: journal.count("truth") > 1)
    yield made
    made.close()


def told_since(session, seed):
    """Lay a scene of the seed and wait until it has been told for a while: its events as (name, time, values)."""
    session.reset("", seed).result(60.0)
    events = session.journal.events
    begin = max(i for i, (name, value) in enumerate(events) if name == "reset" and value[1] == seed)
    session.journal.until(lambda: sum(name == "truth" for name, _ in events[begin:]) >= 12)
    return [(name, time_s, values) for name, (time_s, _, values) in events[begin:]]


def test_new_scene_is_announced_before_anything_else_is_sent_of_it(blind_session):
    names = [name for name, _, _ in told_since(blind_session, 31)]
    assert names[:5] == ["reset", "reference", "joints", "tactile", "truth"] and names.count("reset") == 1


def test_each_sensor_keeps_its_period_in_simulated_time(blind_session):
    """However busy the machine is: a late message is one of a later moment, not one of a wrong moment."""
    events = told_since(blind_session, 32)
    periods_s = {"joints": 0.01, "tactile": 0.01, "reference": 0.02, "truth": 0.02}
    for name, period_s in periods_s.items():
        times_s = [time_s for found, time_s, _ in events if found == name][2:]
        assert len(times_s) > 5
        np.testing.assert_allclose(np.diff(times_s), period_s, atol=1e-6)


def test_same_seed_tells_the_same_scene_and_counts_on(blind_session):
    first, again = (told_since(blind_session, 33) for _ in range(2))
    truths = [next(values for name, _, values in events if name == "truth") for events in (first, again)]
    assert truths[1][2] == truths[0][2] + 1  # the episode
    for name, value in vars(truths[0][0]).items():
        np.testing.assert_array_equal(getattr(truths[1][0], name), value)


def test_cameras_that_nobody_looks_through_take_no_image(blind_session):
    told_since(blind_session, 34)
    assert (blind_session.frames_sent["wrist"], blind_session.frames_sent["scene"]) == (0, 0)
    assert blind_session.frames_sent["joints"] > 0


def way_of(aside_rad, seconds):
    return Points((HOME_RAD + aside_rad)[None], np.array([seconds]))


def test_pictures_for_people_come_while_they_are_wanted(blind_session):
    journal = blind_session.journal
    assert journal.count("show") == 0
    journal.shown = True
    try:
        journal.until(lambda: journal.count("show") >= 2, 120.0)
        told_since(blind_session, 41)
        before = journal.count("show")
        journal.until(lambda: journal.count("show") >= before + 2)
        shown = [value for name, value in journal.events if name == "show"]
        assert {seed for _, seed, _ in shown} >= {41} and shown[0][2][0].shape == (480, 640, 3)
    finally:
        journal.shown = False
    journal.until(lambda: not blind_session._show._busy.is_set())
    before, truths = journal.count("show"), journal.count("truth")
    journal.until(lambda: journal.count("truth") > truths + 20)
    assert journal.count("show") <= before + 1


def test_arm_follows_a_trajectory_and_is_at_rest_at_its_end(blind_session):
    session, journal = blind_session, blind_session.journal
    session.reset("", 35).result(60.0)
    session.follow(way_of(0.05, 0.3)).result(30.0)
    journal.until(lambda: np.abs(session.world.joints_rad - HOME_RAD - 0.05).max() < 1e-3)
    journal.until(lambda: session.at_rest)
    assert np.abs(session.request(lambda: session.world.joints_rad).result(30.0) - HOME_RAD - 0.05).max() < 1e-3


def test_halted_arm_stands_short_of_where_it_was_sent(blind_session):
    session, journal = blind_session, blind_session.journal
    session.reset("", 36).result(60.0)
    session.follow(way_of(2.0, 60.0)).result(30.0)
    journal.until(lambda: not session.at_rest)
    session.halt().result(30.0)
    journal.until(lambda: session.at_rest)
    moved = session.request(lambda: session.world.joints_rad - HOME_RAD).result(30.0)
    assert (moved > 0.0).all() and (moved < 1.9).all()


def test_refused_scene_leaves_the_present_one(blind_session):
    session = blind_session
    session.reset("", 37).result(60.0)
    before = session.task, session.seed, session.episode
    with pytest.raises(VitalError) as refusal:
        session.reset("make_coffee", 1).result(60.0)
    assert refusal.value.code is ErrorCode.UNKNOWN_TASK
    told = session.journal.count("truth")
    session.journal.until(lambda: session.journal.count("truth") > told + 2)
    assert (session.task, session.seed, session.episode) == before and session.failure is None


def test_baseline_is_the_median_at_rest_and_has_a_number_of_its_own(blind_session):
    session = blind_session
    session.reset("", 38).result(60.0)
    numbers = []
    for _ in range(2):
        baseline_ut = session.take_baseline(5).result(30.0)
        numbers.append(session.baseline_id)
        reading_ut = session.request(session.world.tactile_ut).result(30.0)
        assert baseline_ut.shape == (15,) and np.abs(reading_ut - baseline_ut).max() < 30.0
        np.testing.assert_array_equal(session.baseline, baseline_ut)
    assert numbers[1] == numbers[0] + 1


@pytest.mark.parametrize(("task", "background"), [("make_coffee", "green"), ("usb_insertion", "marmalade")])
def test_session_of_what_there_is_not_is_refused_before_a_thread_starts(task, background):
    before = threading.active_count()
    with pytest.raises(VitalError):
        SimSession(task, 0, background, sinks=None)
    assert threading.active_count() == before


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


def test_the_seeds_take_the_places_of_a_setting_in_turn(blind_session):
    def yaw_deg(seed):
        events = told_since(turned, seed)
        truth = next(values[0] for name, _, values in events if name == "truth")
        return np.rad2deg(pose_of.to_vector(truth.t_base_target)[5])

    turned = blind_session
    turned._setting = "spatial"
    found = [yaw_deg(seed) for seed in (300, 301, 302)]
    turned._setting = "in_domain"
    assert found == pytest.approx([yaw for _, _, yaw in PLACES], abs=8.0)
    assert abs(yaw_deg(303)) < 8.0


def test_a_setting_that_there_is_not_is_refused_before_anything_is_built():
    with pytest.raises(VitalError, match="setting is 'elsewhere', expected one of in_domain"):
        SimSession("usb_insertion", 0, "green", None, "elsewhere")
