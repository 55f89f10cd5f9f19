"""A recorded session or bag on the page: the same messages the same way, and nothing of it on the graph."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from mcap.writer import Writer
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from stack_for_pages import COMMAND, Running
from std_msgs.msg import Header, String

from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_data.files import layout
from vital_data.files.episode_writer import McapFile, Message
from vital_data.files.ros_messages import installed_definition
from vital_data.files.session import Session
from vital_interfaces.msg import GateState, TactileArray
from vital_monitor.hearing import RECORDED
from vital_monitor.recorded.player import Player
from vital_monitor.recorded.recording import Recording, known_topics, of_bag, of_session
from vital_ros.image_message import to_message

SECONDS = 20
START_NS = 1_700_000_000_000_000_000


def said(topic: str, message: object, at_s: float) -> Message:
    kind = f"{type(message).__module__.split('.')[0]}/msg/{type(message).__name__}"
    at_ns = START_NS + round(at_s * 1e9)
    return Message(topic, kind, bytes(serialize_message(message)), at_ns, at_ns)


def written(path: Path, *more: Message) -> Path:
    """Ten times a second arm, pad and camera; the gate stops in the middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        mcap = McapFile(file)
        for i in range(10 * SECONDS):
            at_s = i / 10.0
            mode = GateState.LATCHED if i >= 5 * SECONDS else GateState.MOVING
            mcap.add(said("/vital/gate_state", GateState(mode=mode, owner="teleop", tactile_limit_ut=950.0), at_s))
            angles = (HOME_RAD + 0.01 * i).tolist()
            mcap.add(said("/joint_states", JointState(name=list(JOINT_NAMES), position=angles), at_s))
            field = [float(i)] * 15
            touch = TactileArray(
                magnetometers=5, field_ut=field, valid=[True] * 5, baseline_ut=[0.0] * 15, baseline_id=1
            )
            mcap.add(said("/anyskin/tactile", touch, at_s))
            image = np.full((128, 128, 3), i % 256, np.uint8)
            mcap.add(said("/wrist_camera/image_raw", to_message(image, "rgb8", Header()), at_s))
            mcap.add(said("/rosout_like", String(data="of no use here"), at_s))
        for message in more:
            mcap.add(message)
        mcap.finish({"episode": 0, "task": "usb_insertion", "outcome": "success"})
    return path


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "usb_insertion"
    made = Session.create_or_resume(folder, "usb_insertion", {})
    written(layout.episode_path(folder, 0))
    made.append({"episode": 0, "outcome": "success", "frames": 200, "duration_s": float(SECONDS)})
    return folder


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_nothing_is_given_before_its_time_and_nothing_is_lost_that_is_small(session) -> None:
    clock, recording = Clock(), of_session(session, 0)
    assert recording.duration_s == pytest.approx(SECONDS - 0.1) and "success" in recording.name
    player = Player(recording, {"/joint_states", "/wrist_camera/image_raw"}, clock)
    clock.now_s = 5.0
    first = player.due()
    assert [each.at_s for each in first if each.at_s > 0.0] == [], "it begins paused"
    player.play()
    # A turn ends after a while: on a machine that stands still the first one may have given nothing.
    joints, deadline_s = sum(each.topic == "/joint_states" for each in first), time.monotonic() + 30.0
    while joints < 10 * SECONDS and time.monotonic() < deadline_s:
        clock.now_s += 0.5
        due = player.due()
        assert all(each.at_s <= player.position_s for each in due)
        assert {each.topic for each in due} <= {"/joint_states", "/wrist_camera/image_raw"}
        assert sum(each.topic.startswith("/wrist") for each in due) <= 1, "of images the newest"
        joints += sum(each.topic == "/joint_states" for each in due)
    assert joints == 10 * SECONDS and not player.playing
    player.play()
    assert player.position_s == 0.0 and player.playing, "from the beginning when it is over"


def test_a_place_is_gone_to_forwards_and_back_while_it_stands(session) -> None:
    clock = Clock()
    player = Player(of_session(session, 0), {"/joint_states"}, clock)
    for at_s in (15.0, 3.0, 99.0, -1.0, 7.0):
        player.seek(at_s)
        due = []
        while got := player.due():
            due = got
        place = min(max(at_s, 0.0), player.recording.duration_s)
        assert not due or due[-1].at_s == pytest.approx(np.floor(place * 10 + 1e-6) / 10)
        assert player.position_s == pytest.approx(place) and not player.playing


def test_a_bag_of_several_files_is_one_recording(tmp_path) -> None:
    late = said("/joint_states", JointState(name=["joint1"], position=[1.0]), 60.0)
    written(tmp_path / "bag" / "a_0.mcap")
    written(tmp_path / "bag" / "a_1.mcap", late)
    bag = of_bag(tmp_path / "bag")
    assert bag.duration_s == pytest.approx(60.0) and len(list(bag.messages())) == 2 * 50 * SECONDS + 1
    assert known_topics(bag, RECORDED) == RECORDED.keys() & bag.kinds.keys() and "/rosout_like" in bag.kinds


def refused(make) -> VitalError:
    with pytest.raises(VitalError) as error:
        make()
    return error.value


def test_what_is_no_recording_is_refused_with_what_to_do(session, tmp_path) -> None:
    cases = [
        (lambda: of_session(tmp_path, 0), ErrorCode.BAD_DATASET, "expected a recorded session"),
        (lambda: of_session(session, 7), ErrorCode.BAD_PARAMETER, "has no episode 7"),
        (lambda: of_bag(tmp_path / "nowhere.mcap"), ErrorCode.BAD_RECORDING, "cannot be read"),
        (lambda: of_bag(tmp_path), ErrorCode.BAD_PARAMETER, "ros2 bag record -s mcap"),
        (lambda: of_bag(tmp_path / "x.db3"), ErrorCode.BAD_PARAMETER, "ros2 bag record -s mcap"),
    ]
    for make, code, words in cases:
        error = refused(make)
        assert error.code is code and words in error.message
    (tmp_path / "cut.mcap").write_bytes(written(tmp_path / "whole" / "w.mcap").read_bytes()[:5000])
    assert refused(lambda: of_bag(tmp_path / "cut.mcap")).code is ErrorCode.BAD_RECORDING


def test_unknown_topics_and_other_types_are_said() -> None:
    unknown = Recording("x", (Path("x.mcap"),), {"/something": "std_msgs/msg/String"}, frozenset(), 0, 1.0)
    assert "none of the topics that are shown" in refused(lambda: known_topics(unknown, RECORDED)).message
    other = Recording("x", (Path("x.mcap"),), {"/joint_states": "std_msgs/msg/String"}, frozenset(), 0, 1.0)
    words = refused(lambda: known_topics(other, RECORDED)).message
    assert "/joint_states holds std_msgs/msg/String, expected sensor_msgs/msg/JointState" in words


def test_a_type_that_had_other_fields_is_left_out_and_told(tmp_path) -> None:
    assert not of_bag(written(tmp_path / "same.mcap")).changed
    path, kinds = tmp_path / "old.mcap", {"/vital/gate_state": RECORDED["/vital/gate_state"]}
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        for topic, kind in (kinds | {"/joint_states": RECORDED["/joint_states"]}).items():
            text = b"uint8 mode\n" if topic in kinds else installed_definition(kind).encode()
            channel = writer.register_channel(topic, "cdr", writer.register_schema(kind, "ros2msg", text))
            writer.add_message(channel, START_NS, b"\0\1\0\0\0", START_NS)
        writer.finish()
    assert of_bag(path).changed == {"/vital/gate_state"} and known_topics(of_bag(path), RECORDED) == {"/joint_states"}


def test_an_episode_is_watched_paused_gone_through_and_played_again(session, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(20 + (os.getpid() + 60) % 80))
    here = Running(tmp_path, with_stack=False, more=["-p", f"session:={session}"])
    try:
        page = here.page()
        page.until(lambda: "MOVING" in page.text and "usb_insertion, episode 0: success" in page.text)
        page.until(lambda: page.offers("PAUSE"))
        page.press("PAUSE")
        page.until(lambda: page.offers("PLAY"))
        page.write("go to, s", 15.0)
        page.until(lambda: "15.0 of 19.9 s" in page.text and "STOPPED" in page.text)
        page.until(lambda: "largest change 2" in page.text)
        page.write("go to, s", 2.0)
        page.until(lambda: "2.0 of 19.9 s" in page.text and "MOVING" in page.text)
        page.press("PLAY")
        page.until(lambda: page.offers("PAUSE"))
        assert not page.offers("RUN") and not page.offers("BASELINE") and page.offers("STOP")
    finally:
        here.close()


def test_a_folder_that_is_no_session_ends_it_with_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    done = subprocess.run([*COMMAND, "-p", f"session:={tmp_path}"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "[BAD_DATASET 64]" in done.stderr and "Traceback" not in done.stderr
