"""The page and the WebSocket of a phone or headset, with a real client on the loopback."""

import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import VitalError
from vital_teleop.device import Button
from vital_teleop.devices.webxr import FARTHEST_M, WebXr, hand_pose
from vital_teleop.devices.webxr_settings import WebXrSettings

websockets = pytest.importorskip("websockets.sync.client")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def served():
    device = WebXr(WebXrSettings(port=free_port()))
    device.open()
    yield device
    device.close()


def knock(device, origin=None, **options):
    """A page that was not let in yet."""
    url = device.url.replace("http", "ws") + "hand"
    return websockets.connect(url, origin=origin or device.url.rstrip("/"), **options)


def token_of(device):
    return device.address_file.read_text().strip().partition("#")[2]


@contextmanager
def connect(device, **key):
    """A page with the one-time token, or another key, and the answer to it."""
    with knock(device) as client:
        assert json.loads(client.recv()) == {"need": "pin"}
        client.send(json.dumps(key or {"pin": token_of(device)}))
        client.answer = json.loads(client.recv())
        yield client


def sample(**more):
    return json.dumps({"clutch": True, "gripper": 1, "event": 0, "p": [0.1, 0.2, 0.3], "q": [0, 0, 0, 1], **more})


def wait_for(condition, timeout_s=10.0):
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_page_is_served_and_nothing_else(served):
    with urllib.request.urlopen(served.url) as answer:
        page = answer.read().decode()
        assert "text/html" in answer.headers["Content-Type"] and "frame-ancestors" in str(answer.headers)
    assert "requestSession" in page and "http://" not in page and "https://" not in page
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(served.url + "etc/passwd")
    assert raised.value.code == 404


def test_hand_moves_and_speaks_in_the_bases_axes(served):
    with connect(served) as client:
        assert client.answer["ok"] == "connected"
        client.send(sample(event=1))
        wait_for(lambda: served._hand._sample.pose is not None)
        got = served.poll()
        np.testing.assert_allclose(got.pose[:3, 3], [-0.3, -0.1, 0.2])
        assert got.clutch and got.buttons == (Button.START,)
        client.send(sample(p=None, q=None))
        wait_for(lambda: not served.poll().clutch)


def test_turn_about_up_is_a_turn_about_up():
    half = np.sqrt(0.5)
    np.testing.assert_allclose(hand_pose([0, 0, 0], [0, half, 0, half])[:3, :3] @ [1, 0, 0], [0, 1, 0], atol=1e-9)


@pytest.mark.parametrize(
    "bad",
    [
        "no json",
        "[]x",
        "[" * 2000,
        sample(p=[1, 2]),
        sample(q=[0, 0, 0, 5]),
        sample(p=["a", 0, 0]),
        sample(p=[1e400, 0, 0]),
        sample(p=[10**400, 0, 0]),
        sample(p=[101.0, 0, 0]),
        sample(p="123"),
        sample(p=[True, 0, 0]),
        sample(q=None),
        sample(gripper=float("nan")),
        sample(gripper=10**400),
        sample(gripper="shut"),
        sample(event=1e400),
        sample(event=True),
        sample(event=[1]),
    ],
    ids=range(18),
)
def test_nonsense_is_refused_and_closes_nothing(served, bad):
    with connect(served) as client:
        client.send(bad)
        client.send(sample())
        wait_for(lambda: served._hand._sample.pose is not None)
        assert served.poll().clutch


@pytest.mark.parametrize("bad", [{"gripper": "shut"}, {"p": [None, 0, 0]}, {"q": 1}])
def test_stop_counts_whatever_stands_beside_it_and_any_other_button_does_not(served, bad):
    with connect(served) as client:
        client.send(sample())
        wait_for(lambda: served.poll().clutch)
        client.send(sample(event=Button.SUCCESS, **bad))
        client.send(sample(event=Button.STOP, **bad))
        assert all("not understood" in json.loads(client.recv())["error"] for _ in range(2))
    got = served.poll()
    assert got.buttons == (Button.STOP,) and not got.clutch and served.refused == 2


def test_gripper_is_between_open_and_closed(served):
    with connect(served) as client:
        for said, meant in ((-3, 0.0), (0.25, 0.25), (7, 1.0)):
            client.send(sample(gripper=said))
            wait_for(lambda: served.poll().gripper == meant)  # noqa: B023


numbers = st.floats(-99.0, 99.0)
quaternions = st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(st.tuples(numbers, numbers, numbers), quaternions, st.tuples(numbers, numbers, numbers))
def test_hands_pose_is_a_rigid_motion_of_webxrs(position, quaternion, shift):
    """Distances and angles are kept, the axes alone are renamed; a quaternion and its negative are one turn."""
    unit = (np.array(quaternion) / np.linalg.norm(quaternion)).tolist()
    pose = hand_pose(list(position), unit)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
    np.testing.assert_array_equal(hand_pose(list(position), [-v for v in unit]), pose)
    origin = hand_pose([0, 0, 0], [0, 0, 0, 1])
    np.testing.assert_allclose(origin, np.eye(4), atol=1e-12)
    distance_m, turn_rad = pose_of.distance(origin, pose)
    assert distance_m == pytest.approx(np.linalg.norm(position))
    assert turn_rad == pytest.approx(2 * np.arccos(min(1.0, abs(unit[3]))), abs=1e-6)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=40)
@given(anything, anything)
def test_whatever_comes_is_a_pose_or_refused_as_a_value(position, quaternion):
    try:
        pose = hand_pose(position, quaternion)
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert np.isfinite(pose).all() and np.abs(pose[:3, 3]).max() <= FARTHEST_M


def test_page_of_another_origin_is_turned_away(served):
    with pytest.raises(Exception, match="403"), knock(served, origin="https://evil.example"):
        pass


def test_second_hand_is_told_to_wait_and_moves_nothing(served):
    with connect(served) as first, connect(served) as second:
        assert "another hand" in second.answer["error"]
        first.send(sample())
        wait_for(lambda: served.poll().clutch)


def test_pages_own_lost_connection_gives_way_to_it(served):
    with connect(served) as lost, connect(served, way_back=lost.answer["way_back"]) as again:
        assert again.answer["ok"] == "connected"
        again.send(sample())
        wait_for(lambda: served.poll().clutch)
        with connect(served, way_back=lost.answer["way_back"]) as stale:
            assert "another page has come since" in stale.answer["error"]


def test_open_port_without_protection_is_refused():
    with pytest.raises(VitalError, match="webxr_certificate"):
        WebXr(WebXrSettings(host="0.0.0.0"))
    with pytest.raises(VitalError, match="webxr_pin"):
        WebXr(WebXrSettings(host="0.0.0.0", certificate="a", key="b", pin="123"))


def test_port_in_use_is_said():
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(VitalError, match="cannot be served"):
            WebXr(WebXrSettings(port=port)).open()
