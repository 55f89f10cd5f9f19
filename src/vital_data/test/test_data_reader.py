"""Messages decoded in columns are what ROS 2 itself would decode; recordings come back as they were written."""

from array import array

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap_ros2._dynamic import serialize_dynamic
from mcap_ros2.reader import read_ros2_messages
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header

from vital_core.errors import ErrorCode, VitalError
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.files.episode_reader import message_count, read_episode
from vital_data.files.ros_messages import Rows, installed_definition, parse_definition, read_rows
from vital_data.files.stream_values import stream_values
from vital_interfaces.msg import EndEffectorDelta, GateState, TactileArray

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
HEADERS = st.builds(Header, frame_id=TEXT)


def rows_of(messages: list) -> list[Rows]:
    kind = type(messages[0])
    name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
    definition = parse_definition(name, installed_definition(name))
    return read_rows(name, definition, [serialize_message(message) for message in messages])


def columns_by_message(messages: list) -> list[dict]:
    """The columns' values of every message, in order."""
    found: list[dict] = [{} for _ in messages]
    for group in rows_of(messages):
        for row, index in enumerate(group.places):
            shared = (str, list)
            found[index] = {k: v if isinstance(v, shared) else v[row] for k, v in group.columns.items()}
    return found


JOINTS = st.builds(
    JointState,
    header=HEADERS,
    name=st.lists(TEXT, max_size=3),
    position=st.lists(FLOATS, max_size=4),
    velocity=st.lists(FLOATS, max_size=2),
    effort=st.lists(FLOATS, max_size=2),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(JOINTS, min_size=1, max_size=6))
def test_messages_of_any_lengths_are_read_as_they_were(messages):
    for message, got in zip(messages, columns_by_message(messages), strict=True):
        assert got["header.frame_id"] == message.header.frame_id
        assert got["name"] == list(message.name)
        for name in ("position", "velocity", "effort"):
            np.testing.assert_array_equal(got[name], getattr(message, name))


COMMANDS = st.builds(EndEffectorDelta, header=HEADERS, owner=TEXT, seq=st.integers(0, 2**32 - 1), gripper=FLOATS)


@settings(deadline=None, max_examples=40)
@given(st.lists(COMMANDS, min_size=1, max_size=6))
def test_alignment_after_strings_is_kept(messages):
    for message, got in zip(messages, columns_by_message(messages), strict=True):
        assert (got["owner"], got["seq"], got["gripper"]) == (message.owner, message.seq, message.gripper)


def test_messages_of_one_shape_are_one_table():
    messages = [TactileArray(magnetometers=5, field_ut=[float(i)] * 15, valid=[True] * 5) for i in range(7)]
    (group,) = rows_of(messages)
    np.testing.assert_array_equal(group.columns["field_ut"][:, 0], range(7))
    assert group.columns["baseline_ut"].shape == (7, 0) and group.columns["valid"].all()


def test_a_large_message_with_constants_in_its_definition_is_read():
    state = GateState(owner="teleop", verdict_text="step 31 mm", accepted=3, tactile_peak_ut=12.5)
    state.workspace_upper_m.z = 0.4
    (got,) = columns_by_message([state])
    assert (got["owner"], got["verdict_text"], got["accepted"]) == ("teleop", "step 31 mm", 3)
    assert got["tactile_peak_ut"] == 12.5 and got["workspace_upper_m.z"] == 0.4


def test_gate_states_of_older_recordings_are_read():
    name = "vital_interfaces/msg/GateState"
    older = installed_definition(name).replace("uint64 rejected\n", "uint64 rejected\nuint64 clipped\n", 1)
    write = serialize_dynamic(name, older)[name]
    data = [write({"owner": "policy", "rejected": i, "clipped": 7, "tactile_peak_ut": 12.5}) for i in range(3)]
    values = stream_values(name, read_rows(name, parse_definition(name, older), data), 3)
    np.testing.assert_array_equal(values["rejected"], range(3))
    assert (values["tactile_peak_ut"] == 12.5).all()


def test_reading_before_the_baseline_has_none():
    messages = [TactileArray(magnetometers=5, field_ut=[1.0] * 15, valid=[True] * 5) for _ in range(3)]
    messages[1].baseline_ut = [0.5] * 15
    values = stream_values("vital_interfaces/msg/TactileArray", rows_of(messages), 3)
    assert np.isnan(values["baseline_ut"][[0, 2]]).all() and (values["baseline_ut"][1] == 0.5).all()


def test_pose_without_a_unit_quaternion_is_not_a_number():
    messages = [PoseStamped(), PoseStamped()]
    messages[1].pose.orientation.w = 0.0
    values = stream_values("geometry_msgs/msg/PoseStamped", rows_of(messages), 2)
    np.testing.assert_array_equal(values["t_base_tcp"][0], np.eye(4))
    assert np.isnan(values["t_base_tcp"][1]).all()


def test_padded_rows_of_an_image_are_cut():
    image = Image(height=2, width=2, encoding="rgb8", step=8, data=array("B", range(16)))
    values = stream_values("sensor_msgs/msg/Image", rows_of([image]), 1)
    np.testing.assert_array_equal(values["image"][0, 1, :, 0], [8, 11])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Image(height=2, width=2, encoding="bgr8", step=6, data=array("B", range(12))), "encoding 'bgr8'"),
        (Image(height=3, width=2, encoding="rgb8", step=6, data=array("B", range(12))), "12 bytes in steps of"),
        (TactileArray(field_ut=[0.0] * 12, valid=[True] * 4), "12 values, expected 15"),
        (JointState(name=["joint1"], position=[0.0]), "lack joint2"),
    ],
)
def test_message_that_breaks_the_contract_is_refused(message, said):
    kind = type(message)
    with pytest.raises(VitalError, match=said) as refused:
        stream_values(f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}", rows_of([message]), 1)
    assert refused.value.code is ErrorCode.BAD_RECORDING


def test_cut_message_is_refused():
    name = "sensor_msgs/msg/JointState"
    data = serialize_message(JointState(name=["a"], position=[1.0, 2.0]))
    with pytest.raises(VitalError, match="ends before byte"):
        read_rows(name, parse_definition(name, installed_definition(name)), [data[:40]])


def test_definition_with_an_unknown_type_is_refused():
    with pytest.raises(VitalError, match="lacks pkg/Other"):
        parse_definition("pkg/msg/Kind", "int32 LIMIT=3\nOther[] others  # of them\n")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    writer = SessionWriter(tmp_path_factory.mktemp("reader") / "s", "usb_insertion", {})
    return writer.add(synthetic.streams(40, 3, labels=True), {"seed": 7, "faults": ["dark"]})


def test_recording_comes_back_exactly(recording):
    episode = read_episode(recording)
    assert (episode.index, episode.task, episode.outcome, episode.faults) == (0, "usb_insertion", "success", ("dark",))
    assert episode.metadata["seed"] == "7"
    for topic, written in synthetic.streams(40, 3, labels=True).items():
        read = episode.streams[topic]
        np.testing.assert_array_equal(read.stamps_ns, written.stamps_ns)
        assert message_count(recording, topic) == len(written.stamps_ns)
        for name, values in written.values.items():
            exact = name != "t_base_tcp"
            np.testing.assert_allclose(read.values[name], values, rtol=0, atol=0 if exact else 1e-15)


def test_only_the_topics_asked_for_are_read(recording):
    assert set(read_episode(recording, topics=["/vital/command", "/nowhere"]).streams) == {"/vital/command"}
    assert message_count(recording, "/nowhere") == 0


def test_other_programs_read_the_recording(recording):
    messages = list(read_ros2_messages(str(recording), topics=["/vital/command"]))
    written = synthetic.streams(40, 3)["/vital/command"]
    assert len(messages) == 40
    for message, translation in zip(messages, written.values["translation_m"], strict=True):
        t = message.ros_msg.translation_m
        np.testing.assert_array_equal([t.x, t.y, t.z], translation)
