"""What recording costs: bytes an episode, processor time, and how long anything has to wait for it.

./vital shell -c "python bench/recording.py [--session recordings/usb_insertion]"

A control loop of 100 Hz in a process of its own is watched with the recorder away and at work, so that what the
machine does anyway is told apart from what recording adds. With a session, real images are sent and the compressions
are compared on them; without one, made-up images of noise, which do not compress.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rclpy
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message

from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.files.episode_reader import read_episode
from vital_data.files.episode_writer import CHUNK_BYTES
from vital_data.files.session import Session
from vital_data.inspect.play_command import _message_class
from vital_interfaces.msg import RecordingState
from vital_interfaces.srv import FinishEpisode, StartEpisode

TASK = "usb_insertion"
LOOP_HZ = 100.0
OWN = ("/vital/tcp_pose", "/vital/tcp_target")


@dataclass(frozen=True)
class Sent:
    """One message of the episode that is sent: seconds from its start, topic, kind, CDR."""

    at_s: float
    topic: str
    kind: str
    data: bytes


def messages_of(path: Path) -> list[Sent]:
    """Everything in a recorded episode that came from somebody else."""
    with open(path, "rb") as file:
        found = list(make_reader(file).iter_messages())
    first = found[0][2].log_time
    return [Sent((m.log_time - first) * 1e-9, c.topic, s.name, m.data) for s, c, m in found if c.topic not in OWN]


def compressions(messages: list[Sent]) -> None:
    """Print size and processor time of writing the episode with each compression."""
    raw = sum(len(m.data) for m in messages)
    print(f"one episode of {messages[-1].at_s:.1f} s, {len(messages)} messages, {raw / 1e6:.1f} MB of them:")
    for kind in CompressionType:
        buffer, began = io.BytesIO(), time.process_time()
        writer = Writer(buffer, chunk_size=CHUNK_BYTES, compression=kind)
        writer.start(profile="ros2", library="bench")
        channels: dict[str, int] = {}
        for m in messages:
            if m.topic not in channels:
                channels[m.topic] = writer.register_channel(m.topic, "cdr", 0)
            writer.add_message(channels[m.topic], round(m.at_s * 1e9), m.data, 0)
        writer.finish()
        took = time.process_time() - began
        share = 100 * took / messages[-1].at_s
        print(f"  {kind.name.lower():5s} {buffer.tell() / 1e6:6.2f} MB, {share:4.1f} % of a core")


def loop(seconds: float) -> None:
    """The control loop: prints the lateness of its ticks, ms: largest, 99.9 %, median."""
    late, start = [], time.monotonic()
    for tick in range(1, int(seconds * LOOP_HZ)):
        due = start + tick / LOOP_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(1000 * (time.monotonic() - due))
    print(f"largest {max(late):.1f}, 99.9 % {np.quantile(late, 0.999):.1f}, median {np.median(late):.2f} ms late")


def watched(name: str, seconds: float) -> subprocess.Popen:
    """Start the control loop; its line comes when it is over."""
    print(f"100 Hz loop, {name}: ", end="", flush=True)
    return subprocess.Popen([sys.executable, __file__, "--loop", str(seconds)])


class Operator:
    """Sends the episode and asks for it to be recorded."""

    def __init__(self, messages: list[Sent]) -> None:
        rclpy.init()
        self.node = rclpy.create_node("bench_recording")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.messages = messages
        kinds = {m.topic: m.kind for m in messages}
        self.publishers = {
            topic: self.node.create_publisher(_message_class(kind), topic, qos_profile_sensor_data)
            if not topic.startswith("/vital")
            else self.node.create_publisher(_message_class(kind), topic, 50)
            for topic, kind in kinds.items()
        }
        self.start = self.node.create_client(StartEpisode, "/vital/record/start")
        self.finish = self.node.create_client(FinishEpisode, "/vital/record/finish")
        self.wait_s = 0.0
        self.node.create_subscription(RecordingState, "/vital/recording_state", self._on_state, 10)

    def _on_state(self, state: RecordingState) -> None:
        self.wait_s = max(self.wait_s, state.longest_stall_s)

    def ask(self, client, request):
        """The answer of a service; it must be a yes."""
        client.wait_for_service(timeout_sec=20.0)
        future = client.call_async(request)
        while not future.done():
            self.executor.spin_once(0.05)
        answer = future.result()
        assert answer.success, answer.message
        return answer

    def send(self, seconds: float) -> None:
        """Publish the episode in real time, stamped as it goes."""
        start = time.monotonic()
        for m in self.messages:
            if m.at_s > seconds:
                break
            while (rest := start + m.at_s - time.monotonic()) > 0:
                self.executor.spin_once(rest)
            message = deserialize_message(m.data, _message_class(m.kind))
            if hasattr(message, "header"):
                message.header.stamp = self.node.get_clock().now().to_msg()
            self.publishers[m.topic].publish(message)

    def record(self, index: int) -> float:
        """One episode; how long `finish` took, s."""
        self.send(0.5)
        self.ask(self.start, StartEpisode.Request(task=TASK, operator_name="bench", device="none", seed=index))
        self.send(np.inf)
        began = time.monotonic()
        answer = self.ask(self.finish, FinishEpisode.Request(outcome=FinishEpisode.Request.SUCCESS))
        for fault in answer.faults:
            print(f"  episode {answer.episode}: {fault}")
        return time.monotonic() - began


def processor_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def recording(messages: list[Sent], episodes: int, folder: Path) -> None:
    """Record for real, and print what it cost."""
    seconds = episodes * (messages[-1].at_s + 1.5)
    watched("no recorder", seconds).wait()
    command = [sys.executable, "-m", "vital_data.recording.recorder_node", "--ros-args", "-p", f"task:={TASK}"]
    recorder = subprocess.Popen([*command, "-p", f"session:={folder}"], stderr=subprocess.DEVNULL)
    operator = Operator(messages)
    operator.start.wait_for_service(timeout_sec=20.0)
    while not all(p.get_subscription_count() for p in operator.publishers.values()):
        operator.executor.spin_once(0.05)
    operator.send(2.0)
    watching = watched("recording and its sender", seconds)
    began_s, began_cpu_s = time.monotonic(), processor_s(recorder.pid)
    finishes = [operator.record(i) for i in range(episodes)]
    cpu = (processor_s(recorder.pid) - began_cpu_s) / (time.monotonic() - began_s)
    watching.wait()
    operator.executor.spin_once(1.0)
    recorder.terminate()
    recorder.wait()
    entries = Session.open(folder).episodes()
    size = np.mean([e.bytes for e in entries]) / 1e6
    print(f"{episodes} episodes of {entries[0].duration_s:.1f} s: {size:.2f} MB each, {100 * cpu:.0f} % of a core")
    lags = [(s.log_ns - s.stamps_ns).max() * 1e-6 for e in entries for s in _streams(e.path)]
    print(f"longest time from sending to being taken {max(lags):.1f} ms")
    print(f"longest wait for the disk's thread {1000 * operator.wait_s:.1f} ms (nothing stands still meanwhile)")
    print(f"finish, until whole, synced and checked: {1000 * max(finishes):.0f} ms at most")


def _streams(path: Path):
    return [s for name, s in read_episode(path).streams.items() if name not in OWN]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--session", type=Path)
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--loop", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        loop(options.loop)
        return
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    with tempfile.TemporaryDirectory() as parent:
        if options.session:
            path = Session.open(options.session).episodes()[0].path
        else:
            path = SessionWriter(Path(parent) / "made", TASK, {}).add(synthetic.streams(240), {})
        messages = messages_of(path)
        compressions(messages)
        recording(messages, options.episodes, Path(parent) / "session")


if __name__ == "__main__":
    main()
