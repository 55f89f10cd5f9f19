"""The recorder as a process, with real publishers: its services, its death, and going on after it."""

import os
import signal
import subprocess
import sys
import time

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain

from vital_core.errors import ErrorCode
from vital_data.convert.messages import JOINT_TOPIC, messages_of
from vital_data.dataset import synthetic
from vital_data.files.episode_reader import read_episode
from vital_data.files.session import Session
from vital_interfaces.msg import RecordingState
from vital_interfaces.srv import FinishEpisode, StartEpisode
from vital_ros.conversions import time_message

DOMAIN = own_domain()
TASK = "usb_insertion"
SENSORS = ("/wrist_camera/image_raw", "/anyskin/tactile", JOINT_TOPIC)
# Measured pose and target are the recorder's own.
PUBLISHED = (*SENSORS, "/vital/command")
FRAMES = 45


class Rig:
    """Publishers of a made-up demonstration, and a client of the recorder."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.node = rclpy.create_node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.start = self.node.create_client(StartEpisode, "/vital/record/start")
        self.finish = self.node.create_client(FinishEpisode, "/vital/record/finish")
        self.states: list[RecordingState] = []
        self.node.create_subscription(RecordingState, "/vital/recording_state", self.states.append, 10)
        streams = {name: s for name, s in synthetic.streams(FRAMES).items() if name in PUBLISHED}
        self.demonstration = list(messages_of(streams))
        self.publishers = {}
        for topic, _, message in self.demonstration:
            if topic not in self.publishers:
                qos = qos_profile_sensor_data if topic in SENSORS else 10
                self.publishers[topic] = self.node.create_publisher(type(message), topic, qos)

    def ask(self, client, request):
        assert client.wait_for_service(timeout_sec=20.0)
        future = client.call_async(request)
        deadline = time.monotonic() + 30.0
        while not future.done() and time.monotonic() < deadline:
            self.executor.spin_once(0.05)
        return future.result()

    def begin(self, **fields):
        return self.ask(self.start, StartEpisode.Request(task=TASK, operator_name="Ada", device="remote", **fields))

    def begin_heard(self, **fields):
        """Show sensors until the recorder hears them: a publisher knows its reader before the reader knows it."""
        deadline = time.monotonic() + 20.0
        while True:
            self.show(0.3)
            answer = self.begin(**fields)
            if answer.error_code != ErrorCode.SENSOR_FAULT or time.monotonic() > deadline:
                return answer

    def end(self, outcome, note=""):
        return self.ask(self.finish, FinishEpisode.Request(outcome=outcome, note=note))

    def show(self, share=1.0, without=()):
        """Publish the first ``share`` of the demonstration in real time, stamped as it is sent."""
        first_ns, start_s = self.demonstration[0][1], time.monotonic()
        for topic, stamp_ns, message in self.demonstration[: int(share * len(self.demonstration))]:
            while (rest := start_s + (stamp_ns - first_ns) * 1e-9 - time.monotonic()) > 0:
                self.executor.spin_once(rest)
            message.header.stamp = time_message(self.node.get_clock().now().nanoseconds)
            if topic not in without:
                self.publishers[topic].publish(message)

    def close(self):
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def make_rig():
    made = []

    def make():
        made.append(Rig())
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig):
    return make_rig()


@pytest.fixture
def start_recorder(tmp_path):
    running = []

    def start():
        command = [sys.executable, "-m", "vital_data.recording.recorder_node", "--ros-args", "-p", f"task:={TASK}"]
        command += ["-p", f"session:={tmp_path / 's'}"]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)}
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def connected(rig):
    """Every publisher knows the recorder."""
    deadline = time.monotonic() + 20.0
    while any(rig.publishers[name].get_subscription_count() == 0 for name in rig.publishers):
        assert time.monotonic() < deadline
        rig.executor.spin_once(0.05)


def test_episode_of_real_messages_is_whole_when_it_is_acknowledged(rig, start_recorder, tmp_path):
    start_recorder()
    connected(rig)
    refused = rig.begin()
    assert not refused.success and refused.error_code == ErrorCode.SENSOR_FAULT and "/joint_states" in refused.message
    assert rig.end(FinishEpisode.Request.SUCCESS).error_code == ErrorCode.NOT_RECORDING
    started = rig.begin_heard(seed=7)
    assert started.success and started.episode == 0, started.message
    assert rig.begin().error_code == ErrorCode.BUSY
    rig.show()
    done = rig.end(FinishEpisode.Request.SUCCESS, "smooth")
    assert done.success and done.frames >= 0.9 * FRAMES, done.message
    (entry,) = Session.open(tmp_path / "s").episodes()
    episode = read_episode(entry.path)
    assert entry.note == "smooth" and entry.faults == tuple(done.faults)
    assert (episode.metadata["operator"], episode.metadata["seed"]) == ("Ada", "7")
    assert set(episode.streams) == {*PUBLISHED, "/vital/tcp_pose", "/vital/tcp_target"}
    for stream in episode.streams.values():
        assert abs((stream.log_ns - stream.stamps_ns) * 1e-9).max() < 5.0
    joints, poses = episode.streams[JOINT_TOPIC], episode.streams["/vital/tcp_pose"]
    assert set(poses.stamps_ns) <= set(joints.stamps_ns) and poses.values["t_base_tcp"].shape[1:] == (4, 4)
    while not (rig.states and rig.states[-1].episodes_saved == entry.usable and rig.states[-1].phase == 0):
        rig.executor.spin_once(1.0)
    assert rig.end(FinishEpisode.Request.REDO).success
    assert Session.open(tmp_path / "s").episodes()[0].redo


def test_killed_recorder_goes_on_and_says_what_it_lost(make_rig, start_recorder, tmp_path):
    killed, rig = start_recorder(), make_rig()
    connected(rig)
    assert rig.begin_heard().episode == 0
    rig.show(0.8)
    assert rig.end(FinishEpisode.Request.SUCCESS).success
    assert rig.begin().episode == 1
    rig.show(0.8)
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    # A client that never met the dead one, whose endpoints stay known for a while.
    resumed, rig = start_recorder(), make_rig()
    connected(rig)
    assert rig.begin_heard().episode == 2
    rig.show(0.5)
    assert rig.end(FinishEpisode.Request.FAILURE).success
    assert [e.outcome for e in Session.open(tmp_path / "s").episodes()] == ["success", "aborted", "failure"]
    resumed.send_signal(signal.SIGTERM)
    words = resumed.stderr.read()
    assert "episode 1 had been interrupted" in words and resumed.wait() == 0


def test_sensor_that_dies_in_the_episode_flags_it(rig, start_recorder, tmp_path):
    start_recorder()
    connected(rig)
    assert rig.begin_heard().success
    rig.show(0.3)
    rig.show(0.9, without=("/anyskin/tactile",))
    done = rig.end(FinishEpisode.Request.SUCCESS)
    assert done.success and any(fault.startswith("STREAM_GAP: nothing on /anyskin") for fault in done.faults)
    assert not Session.open(tmp_path / "s").episodes()[0].usable
