"""`vital_data info`, `list`, `check`, `repair` and `play`, as an operator calls them."""

import io
import os
import subprocess
import sys

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import serialize_message
from ros_domain import own_domain
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vital_data import cli
from vital_data.convert.messages import messages_of
from vital_data.convert.session_writer import SessionWriter, episode_bytes
from vital_data.dataset import synthetic
from vital_data.files import layout
from vital_data.files.episode_writer import McapFile, Message
from vital_data.files.ros_messages import type_name
from vital_data.files.session import Session
from vital_data.files.streams import IMAGE_TOPIC, TYPES, Stream
from vital_interfaces.msg import EndEffectorDelta

TASK = "usb_insertion"
DOMAIN = own_domain()
FRAMES = 40
# A listener that wants everything surely, and what was said before it came.
LATCHED = QoSProfile(depth=500, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def session(tmp_path):
    writer = SessionWriter(tmp_path / "session", TASK, {"versions": {"mcap": "1.6.0"}})
    writer.add(synthetic.streams(FRAMES, 0), {"frames": FRAMES, "duration_s": 1.3})
    writer.add(synthetic.streams(FRAMES, 1), {"frames": FRAMES, "faults": ["CAMERA_DARK: 40 % of the images"]})
    writer.add(synthetic.streams(FRAMES, 2), {"frames": FRAMES, "outcome": "failure", "note": "slipped"})
    return writer.folder


def vital_data(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_info_and_list_tell_what_is_for_training(session, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    Session.open(session).append({"episode": 2, "redo": True})
    assert vital_data("info", session) == 0
    words = capsys.readouterr().err
    assert "3, of them 1 for training" in words and "success, faulty 1" in words and "redo 1" in words
    assert vital_data("list", session) == 0
    words = capsys.readouterr().err
    assert "CAMERA_DARK: 40 % of the images" in words and "slipped" in words


def test_check_finds_a_cut_file_and_repair_has_it_back(session, capsys):
    assert vital_data("check", session) == 0
    assert "3 episodes, all sound" in capsys.readouterr().err
    path = layout.episode_path(session, 0)
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * len(whole) // 3])
    assert vital_data("check", session) == 1
    assert "episode_0000.mcap is not whole: `vital_data repair" in capsys.readouterr().err
    assert vital_data("repair", session) == 0
    assert "episode 0:" in capsys.readouterr().err
    assert [e.outcome for e in Session.open(session).episodes()] == ["aborted", "success", "failure"]
    assert vital_data("check", session) == 0
    capsys.readouterr()
    assert vital_data("repair", session) == 0 and "nothing to repair" in capsys.readouterr().err


def test_check_misses_a_file_and_finds_changed_bytes(session, capsys):
    layout.episode_path(session, 2).unlink()
    path = layout.episode_path(session, 0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert vital_data("check", session) == 1
    words = capsys.readouterr().err
    assert "episode_0002.mcap is gone" in words and "episode_0000.mcap" in words


OTHERS = (String(data="x"), Image(encoding="rgb8"))
SWAPPED = [(topic, message) for topic in TYPES for message in OTHERS if type_name(type(message)) != TYPES[topic]]


@pytest.mark.parametrize(("topic", "message"), SWAPPED, ids=lambda value: getattr(type(value), "__name__", value))
def test_topic_of_another_type_is_named_by_check_and_refused_by_plot(session, topic, message, capsys):
    kind = type_name(type(message))
    streams = {name: stream for name, stream in synthetic.streams(FRAMES, 0).items() if name != topic}
    buffer = io.BytesIO()
    mcap = McapFile(buffer, library="another program")
    for name, stamp_ns, own in messages_of(streams):
        mcap.add(Message(name, type_name(type(own)), bytes(serialize_message(own)), stamp_ns, stamp_ns))
    mcap.add(Message(topic, kind, bytes(serialize_message(message)), synthetic.START_NS, synthetic.START_NS))
    mcap.finish({"episode": 0, "task": TASK, "outcome": "success", "faults": []})
    layout.episode_path(session, 0).write_bytes(buffer.getvalue())
    assert vital_data("check", session) == 1
    assert f"{topic} holds {kind}, expected {TYPES[topic]}" in capsys.readouterr().err
    assert vital_data("plot", session, "--episode", 0) == 2
    assert "BAD_RECORDING" in capsys.readouterr().err
    assert vital_data("repair", session) == 0 and layout.episode_path(session, 0).read_bytes() == buffer.getvalue()


def test_check_marks_in_the_index_what_it_found_only_when_asked(session, capsys):
    streams = synthetic.streams(FRAMES, 0)
    dark = streams[IMAGE_TOPIC].values["image"] // 40
    spoilt = streams | {IMAGE_TOPIC: Stream(streams[IMAGE_TOPIC].stamps_ns, {"image": dark})}
    layout.episode_path(session, 0).write_bytes(episode_bytes(spoilt, {"episode": 0, "task": TASK}))
    assert vital_data("check", session) == 1
    assert "episode_0000.mcap is meant for training and has CAMERA_DARK" in capsys.readouterr().err
    assert Session.open(session).episodes()[0].usable
    assert vital_data("check", session, "--mark") == 1
    marked = Session.open(session).episodes()[0]
    assert not marked.usable and marked.faults[0].startswith("CAMERA_DARK")
    assert vital_data("check", session) == 0, "what is out of training is no problem any more"


def test_folder_without_a_session_is_refused(tmp_path, capsys):
    for command in ("info", "list", "check", "repair", "play"):
        assert vital_data(command, tmp_path) == 2
        assert "expected a recorded session" in capsys.readouterr().err


class Listener:
    def __init__(self, *topics):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard = {topic: [] for topic, _ in topics}
        for topic, kind in topics:
            self.node.create_subscription(kind, topic, self.heard[topic].append, LATCHED)

    def close(self):
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def listener():
    made = Listener(("/wrist_camera/image_raw", Image), ("/vital/command", EndEffectorDelta))
    yield made
    made.close()


def play(session, listener, *options):
    command = [sys.executable, "-m", "vital_data.cli", "play", str(session), "--rate", "2", *options]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        listener.executor.spin_once(0.05)
    return process.returncode, process.stderr.read()


def test_played_episode_reaches_a_reliable_listener_without_the_commands(session, listener):
    code, words = play(session, listener)
    assert code == 0, words
    # What was said last may go down with the player.
    assert FRAMES - 5 <= len(listener.heard["/wrist_camera/image_raw"]) <= FRAMES
    assert listener.heard["/vital/command"] == []
    assert play(session, listener, "--acting")[0] == 0
    assert len(listener.heard["/vital/command"]) > FRAMES / 2


def test_nothing_is_played_where_an_arm_speaks(session, listener):
    listener.node.create_publisher(JointState, "/joint_states", qos_profile_sensor_data)
    code, words = play(session, listener)
    assert code == 2 and "somebody else publishes on /joint_states" in words
    assert len(listener.heard["/wrist_camera/image_raw"]) < FRAMES / 2
