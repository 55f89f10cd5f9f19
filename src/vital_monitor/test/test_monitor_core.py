"""What is known, who steers and what is offered: whatever comes, it holds."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.urdf import urdf
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import TrialReport
from vital_monitor.drawing import camera, svg, tables
from vital_monitor.drawing.links import links_of
from vital_monitor.monitor_messages import result_of
from vital_monitor.monitor_parameters import MonitorParameters
from vital_monitor.page.server import is_own_page
from vital_monitor.state.heard import Gate, Kind, Learner, Lens, Session, Tick, Touch
from vital_monitor.state.history import History
from vital_monitor.state.offers import HEARD, Deed, offered
from vital_monitor.state.picture import Picture
from vital_monitor.state.seat import LONGEST_NAME, Seat

unhurried = settings(deadline=None, max_examples=50)
LINKS = links_of(urdf())
NUMBERS = st.floats(-1e6, 1e6)
ANY = st.floats()
LENS = Lens(640, 480, np.array([[600.0, 0, 320], [0, 600.0, 240], [0, 0, 1]]), "camera")


def touch(change_ut, valid=None) -> Touch:
    change = np.asarray(change_ut, float)
    return Touch(change + 1.0, change, np.ones(len(change), bool) if valid is None else valid, 1)


def gate(mode: str = "moving", **more) -> Gate:
    box = np.array([0.3, -0.2, 0.0]), np.array([0.6, 0.2, 0.4])
    values = {
        "owner": "policy",
        "stop_code": 42,
        "stop_reason": "pressed",
        "stop_number": 3,
        "hold_reason": "",
        "verdict_text": "",
    }
    figures = (7, 1, 0, 0.01, 0.02, 100.0, 950.0)
    return Gate(mode, *(values | more).values(), *figures, *box)


def tick(seq: int = 1, lateness_s: float = 0.001, version: int = 0) -> Tick:
    action = np.array([0.01, 0, -0.02, 0, 0, 0.1, 1.0])
    return Tick("usb", "running", seq, action, 0 * action, action, True, "", 0.01, 0.02, 0.03, lateness_s, version, "a")


def session(kind: Kind, phase: str, message: str = "close the clutch") -> Session:
    return Session(kind, phase, "usb_insertion", message, 3, 32)


def well_formed(markup: str) -> ET.Element:
    return ET.fromstring(f"<root>{markup.replace('&nbsp;', ' ')}</root>")


@unhurried
@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=60), st.sampled_from(["take", "leave", "ask"]))))
def test_one_page_at_most_steers_and_only_by_having_taken_the_seat(moves) -> None:
    seat, has = Seat(), None
    for i, (page, name, move) in enumerate(moves):
        if move == "leave":
            seat.leave(page)
            has = None if has == page else has
        elif move == "take":
            may = has in (None, page) and bool(name.split())
            assert seat.take(page, name, float(i)).may is may
            has = page if may else has
        answer = seat.ask(page, float(i))
        assert answer.may is (has == page) and answer.text
        holder = seat.holder
        assert (None if holder is None else holder.page) == has
        assert holder is None or 0 < len(holder.name) <= LONGEST_NAME


def test_the_second_page_is_told_who_steers_and_since_when() -> None:
    seat = Seat()
    seat.take(1, " Anna  B. ", 10.0)
    assert "Anna B. steers from another page, for 5 s" in seat.take(2, "Ben", 15.0).text
    assert seat.ask(1, 15.0).may and not seat.ask(2, 15.0).may


@unhurried
@given(
    st.none() | st.builds(session, st.sampled_from(Kind), st.sampled_from(["ready", "running", "paused", "nonsense"])),
    st.none() | st.builds(gate, st.sampled_from(["idle", "stopped"])),
    st.sets(st.sampled_from([Deed.CLEAR, Deed.BASELINE, Deed.RUN])),
    st.booleans(),
)
def test_nothing_is_offered_that_nobody_would_hear(led, state, served, running) -> None:
    deeds = offered(led, state, served, running)
    assert deeds & {Deed.CLEAR, Deed.BASELINE} <= served
    assert (Deed.CLEAR in deeds) <= (state is not None and state.stopped)
    assert not ({Deed.RUN, Deed.CANCEL} <= deeds)
    if led is None:
        assert not deeds & {Deed.START, Deed.SUCCESS, Deed.PAUSE, Deed.FINISH}
    elif led.phase in HEARD[led.kind]:
        assert HEARD[led.kind][led.phase] <= deeds and not deeds & {Deed.RUN, Deed.CANCEL}


@unhurried
@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1e4))), st.integers(1, 50))
def test_a_history_is_bounded_in_order_and_keeps_the_largest(rows, most) -> None:
    history = History(10.0, most)
    for at_s, value in sorted(rows):
        history.add(at_s, np.array([value]))
    ages, kept = history.since(30.0)
    assert len(ages) <= most and (np.diff(ages) <= 0).all() and (ages <= 10.0).all()
    if most == 50 and rows:
        recent = [value for at_s, value in rows if 30.0 - at_s < 9.0]
        assert not recent or kept.max() >= max(recent)


def test_a_history_begins_anew_with_another_layout_and_with_a_clock_that_goes_back() -> None:
    history = History(10.0, 100)
    history.add(5.0, np.zeros(3))
    history.add(6.0, np.zeros(6))
    assert history.since(6.0)[1].shape == (1, 6)
    history.add(2.0, np.zeros(6))
    assert history.since(6.0)[1].shape == (1, 6)


@unhurried
@given(arrays(float, (7,), elements=st.floats(-1.0, 1.0)))
def test_the_drawn_arm_is_where_the_kinematics_say(offset) -> None:
    q = np.clip(HOME_RAD + offset, LOWER_RAD, UPPER_RAD)
    joints = dict(zip(JOINT_NAMES, q.tolist(), strict=True))
    poses = {"": np.eye(4)}
    for link in LINKS:
        poses[link.name] = poses[link.parent] @ link.pose(joints)
    np.testing.assert_allclose(poses["link_tcp"], kinematics.forward(q), atol=1e-9)


@unhurried
@given(st.floats(-4.0, 4.0))
def test_a_link_turns_as_its_pose_says(angle) -> None:
    for link in LINKS:
        turned = np.roll(pose_of.to_quaternion(link.pose({link.joint: angle})), 1)
        np.testing.assert_allclose(abs(turned @ link.wxyz(angle if link.axis is not None else 0.0)), 1.0, atol=1e-9)


def test_the_gripper_follows_its_one_joint() -> None:
    links = {link.name: link for link in LINKS}
    assert {links[name].joint for name in ("left_finger", "right_finger", "left_outer_knuckle")} == {"drive_joint"}
    assert sum(len(link.shapes) for link in links.values()) > 20


@unhurried
@given(st.floats(-0.3, 0.3), st.floats(-0.2, 0.2), st.floats(0.3, 1.5))
def test_a_point_and_its_pixel_belong_together(x, y, z) -> None:
    t_base_camera = pose_of.from_rpy((0.5, 0.1, 0.9), (np.pi, 0.1, 0.2))
    point = (t_base_camera @ np.array([x, y, z, 1.0]))[:3]
    pixel = camera.pixel_of(point, LENS, t_base_camera)
    u, v = 600.0 * x / z + 320.0, 600.0 * y / z + 240.0
    assert (pixel is not None) == (0 <= u < 640 and 0 <= v < 480)
    assert pixel is None or np.allclose(pixel, (u, v))
    behind = (t_base_camera @ np.array([x, y, -z, 1.0]))[:3]
    assert camera.pixel_of(behind, LENS, t_base_camera) is None


def test_the_point_cloud_lies_on_what_was_seen_and_is_bounded() -> None:
    t_base_camera = pose_of.from_rpy((0.4, 0.0, 1.0), (np.pi, 0.0, 0.0))
    rgb, depth = np.full((480, 640, 3), 7, np.uint8), np.full((480, 640), 1000, np.uint16)
    depth[:10] = 0
    points, colours = camera.point_cloud(rgb, depth, LENS, t_base_camera, 5000)
    assert 1000 < len(points) <= 5000 and points.shape == colours.shape and (colours == 7).all()
    np.testing.assert_allclose(points[:, 2], 0.0, atol=1e-6)
    assert len(camera.point_cloud(rgb, depth[:100], LENS, t_base_camera, 5000)[0]) == 0


@pytest.mark.parametrize("shape", [(128, 128, 3), (1, 1, 3), (480, 640, 3), (3, 9999, 3), (9999, 1, 3)])
def test_pictures_stand_side_by_side_at_one_height_and_the_original_stays(shape) -> None:
    image = np.zeros(shape, np.uint8)
    row = camera.side_by_side((image, image), 176, 6)
    assert row.shape == (176, 2 * min(528, max(1, round(176 * shape[1] / shape[0]))) + 6, 3)
    assert camera.with_mark(image, (0.0, 0.0)).shape == shape and not image.any()


@pytest.mark.filterwarnings("error")
@unhurried
@given(arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=NUMBERS | ANY), st.floats(0, 2000))
def test_any_pad_can_be_drawn(change, limit_ut) -> None:
    well_formed(svg.pad(touch(change), limit_ut))
    well_formed(svg.pad(touch(change, np.zeros(len(change), bool)), limit_ut))


@pytest.mark.filterwarnings("error")
@unhurried
@given(
    arrays(float, st.tuples(st.integers(0, 30), st.integers(1, 6)), elements=st.floats(0, 1e6) | ANY),
    st.floats(0, 2000),
)
def test_any_history_can_be_drawn_with_its_limit(rows, limit_ut) -> None:
    drawn = svg.field_plot(np.linspace(9, 0, len(rows)), rows, limit_ut, 10.0)
    well_formed(drawn)
    assert ("limit" in drawn) is (limit_ut > 0.0)


@pytest.mark.filterwarnings("error")
@unhurried
@given(arrays(float, (7,), elements=ANY))
@example(np.full(7, 3.2e306))
def test_any_action_can_be_drawn(action) -> None:
    one = tick()
    well_formed(
        svg.action_bars(
            Tick(*[*vars(one).values()][:3], action, action, action, *[*vars(one).values()][6:]), 0.03, 0.15
        )
    )
    well_formed(svg.action_bars(None, 0.03, 0.15))


@unhurried
@given(st.text(max_size=400))
def test_no_text_of_the_graph_becomes_markup(words) -> None:
    picture = Picture()
    picture.gate, picture.session = (
        gate("stopped", stop_reason=words, owner=words),
        session(Kind.RECORD, "ready", words),
    )
    picture.came("gate", 0.0)
    picture.learn(Learner(1, 2, 3, 4, 5.0, 0.5, 1, words))
    picture.say(words, 0.0)
    shown = (
        tables.gate_status(picture, 0.0) + tables.what_is_wanted(picture, 0.0) + tables.lines_said(picture.said, 0.0)
    )
    shown += tables.training_table(picture, 0.0)
    plain = "".join(c for c in words if c.isprintable())
    if plain == words:
        tags = {element.tag for element in well_formed(shown).iter()}
        assert tags <= {"root", "div", "table", "tr", "td", "span"}


@unhurried
@given(st.text(), st.booleans(), st.text(), st.text(), ANY)
@example("insert it", False, "reach", "<b>blocked</b>", math.nan)
def test_how_the_last_sentence_ended_is_told_whatever_it_said(sentence, success, phase, message, lasted_s) -> None:
    report = TrialReport(prompt=sentence, success=success, phase=phase, message=message, duration_s=lasted_s)
    picture = Picture(result=result_of(report))
    told = tables.what_is_wanted(picture, 0.0)
    assert ("SUCCESS" if success else "FAILED") in told and "<b>" not in told
    picture.session = session(Kind.RECORD, "ready")
    assert "before, after" not in tables.what_is_wanted(picture, 0.0), "a session has a sentence of its own"


def test_a_gate_that_falls_silent_is_said_and_not_shown_as_if_it_stood() -> None:
    picture = Picture()
    assert "NO GATE" in tables.gate_status(picture, 0.0)
    picture.gate = gate()
    picture.came("gate", 0.0)
    assert "MOVING" in tables.gate_status(picture, 0.5)
    assert "NO GATE" in tables.gate_status(picture, 5.0) and "silent for 5 s" in tables.gate_status(picture, 5.0)


def test_lateness_is_of_this_episode_and_weights_grow_old() -> None:
    picture = Picture()
    for i in range(100):
        picture.take_tick(tick(i, 0.001 if i else 0.5, 3), float(i))
    assert picture.jitter_p99_s > 0.001 and picture.weights_age_s(100.0) == 100.0
    picture.take_tick(tick(0, 0.002, 4), 100.0)
    assert picture.jitter_p99_s == pytest.approx(0.002) and picture.weights_age_s(101.0) == 1.0
    assert math.isnan(Picture().weights_age_s(0.0)) and math.isnan(Picture().jitter_p99_s)


def test_the_learning_curve_starts_over_with_another_run_and_is_bounded() -> None:
    picture = Picture()
    for episodes in range(3000):
        picture.learn(Learner(episodes, 0, 0, 0, 0.0, 0.5, 1, ""))
    assert len(picture.learned) == 2000
    picture.learn(Learner(1, 0, 0, 0, 0.0, math.nan, 1, ""))
    assert not picture.learned
    well_formed(svg.learning_curve({}) + svg.learning_curve({4: 0.2}) + svg.learning_curve({4: 0.2, 5: 1.0}))


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://127.0.0.1:8090", "127.0.0.1:8090", True),
        ("http://localhost:9000", "localhost:9000", True),
        (None, "127.0.0.1:8090", True),
        ("http://127.0.0.1:3000", "127.0.0.1:8090", False),
        ("https://evil.example", "127.0.0.1:8090", False),
        ("http://evil.example:8090", "evil.example:8090", False),
        ("null", "127.0.0.1:8090", False),
        ("http://127.0.0.2:8090", "127.0.0.2:8090", True),
        ("http://[", "127.0.0.1:8090", False),
        (None, None, False),
    ],
)
def test_only_a_page_from_here_counts(origin, host, own) -> None:
    assert is_own_page(origin, host) is own


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.1.7", "::"])
@pytest.mark.parametrize("lacks", [0, 1, 2])
def test_an_address_beyond_the_loopback_without_what_protects_it_is_refused_with_what_to_do(host, lacks) -> None:
    protection = ["cert.pem", "key.pem", "271828"]
    assert MonitorParameters("usb_insertion", host, 8090, *protection).with_door
    assert not MonitorParameters().with_door
    protection[lacks] = protection[lacks][:5] if lacks == 2 else ""
    with pytest.raises(VitalError, match="ssh -L") as refused:
        MonitorParameters("usb_insertion", host, 8090, *protection)
    assert refused.value.code is ErrorCode.BAD_PARAMETER
