"""Measures how many of a scene camera's images arrive beside busy programs: colour and depth, 640x480.

    ./vital shell -c "python bench/image_delivery.py"
    ./vital shell -c "python bench/image_delivery.py --depth 1 --user nobody --network loopback_udp"

Two processes, one that sends and one that listens, as the nodes do: reliable, a queue of `--depth`. Prints one line of
JSON. `--network plain` is Fast DDS without a profile of ours. `--user` (needs root) takes away every right that a user
without real-time priority, niceness or other people's files has not got either.
"""

import argparse
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from typing import TextIO

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from vital_core.clock import steady_s
from vital_ros.image_message import to_message
from vital_ros.process.network import NETWORK, Network, network_settings

TOPICS = {"colour": "/bench/colour", "depth": "/bench/depth"}
HEIGHT, WIDTH = 480, 640
PLAIN = "plain"
PATIENCE_S = 60.0


def queue(depth: int) -> QoSProfile:
    """Quality of service of a camera's images (`vital_ros.qos.IMAGES`), with a queue of ``depth``."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def send(options: argparse.Namespace) -> None:
    """Send every image on schedule once somebody listens, and stay until all are acknowledged."""
    node = Node("image_sender")
    publishers = {kind: node.create_publisher(Image, topic, queue(options.depth)) for kind, topic in TOPICS.items()}
    noise = np.random.default_rng(0)
    images = {
        "colour": to_message(noise.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), "rgb8", Header()),
        "depth": to_message(noise.integers(0, 4000, (HEIGHT, WIDTH), np.uint16), "16UC1", Header()),
    }
    deadline_s = steady_s() + PATIENCE_S
    while any(publisher.get_subscription_count() == 0 for publisher in publishers.values()):
        assert steady_s() < deadline_s, "nobody listens"
        time.sleep(0.05)
    start_s = steady_s()
    for number in range(options.count):
        time.sleep(max(0.0, start_s + number / options.rate - steady_s()))
        for kind, publisher in publishers.items():
            images[kind].header.frame_id = f"{number} {steady_s()}"
            publisher.publish(images[kind])
    for publisher in publishers.values():
        publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=10))


def listen(options: argparse.Namespace) -> None:
    """Print what arrived: until everything has, or nothing more has come for a while after something had."""
    node = Node("image_listener")
    arrivals: dict[str, dict[int, tuple[float, float]]] = {kind: {} for kind in TOPICS}

    def keep(kind: str, message: Image) -> None:
        number, sent_s = message.header.frame_id.split()
        arrivals[kind][int(number)] = (float(sent_s), steady_s())

    for kind, topic in TOPICS.items():
        node.create_subscription(Image, topic, lambda message, kind=kind: keep(kind, message), queue(options.depth))
    last_s, had = steady_s() + PATIENCE_S, 0
    while steady_s() < last_s and any(len(got) < options.count for got in arrivals.values()):
        rclpy.spin_once(node, timeout_sec=0.1)
        if (have := sum(map(len, arrivals.values()))) != had:
            last_s, had = steady_s() + 12.0, have
    sys.stdout.write(json.dumps({kind: summary(got) for kind, got in arrivals.items()}))


def summary(got: dict[int, tuple[float, float]]) -> dict:
    """Count, longest gap in s, latency in ms."""
    times_s = np.sort([arrived for _, arrived in got.values()])
    latencies_ms = [1000 * (arrived - sent) for sent, arrived in got.values()]
    if len(times_s) < 2:
        return {"received": len(got)}
    return {
        "received": len(got),
        "longest_gap_s": round(float(np.diff(times_s).max()), 2),
        "latency_median_ms": round(float(np.median(latencies_ms)), 1),
        "latency_p99_ms": round(float(np.percentile(latencies_ms, 99)), 1),
    }


def environment_of(network: str) -> dict[str, str]:
    """The environment of both processes."""
    ours = network_settings({}).variables
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    clean.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    if network == PLAIN:
        return {**clean, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return {**clean, **network_settings({NETWORK: network}).variables}


def as_user(name: str) -> list[str]:
    """What turns a command into that user's; it may still read this installation, wherever it lies."""
    if not name:
        return []
    user = pwd.getpwnam(name)
    reads = "-all,+dac_read_search"
    return [
        *("prlimit", "--rtprio=0:0", "--nice=0:0"),
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(f"--inh-caps={reads}", "--ambient-caps=+dac_read_search", f"--bounding-set={reads}"),
    ]


def measure(options: argparse.Namespace, errors: TextIO) -> dict:
    """One run beside ``options.busy`` busy processes."""
    command = [*as_user(options.user), sys.executable, __file__, f"--depth={options.depth}", f"--rate={options.rate}"]
    command.append(f"--count={options.count}")
    home = tempfile.mkdtemp()
    os.chmod(home, 0o777)
    environment = {**environment_of(options.network), "HOME": home, "ROS_LOG_DIR": home}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    listener = subprocess.Popen(
        [*command, "--role=listen"], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
    )
    sender = subprocess.Popen([*command, "--role=send"], env=environment, stderr=errors)
    try:
        out, _ = listener.communicate(timeout=options.count / options.rate + 3 * PATIENCE_S)
        sender.wait(timeout=PATIENCE_S)
    finally:
        for process in (*busy, listener, sender):
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)
    assert listener.returncode == sender.returncode == 0, "a process failed, see above"
    return {
        "network": options.network,
        "user": options.user,
        "queue": options.depth,
        "sent": options.count,
    } | json.loads(out)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="of images of each kind")
    parser.add_argument("--rate", type=float, default=10.0, help="Hz")
    parser.add_argument("--depth", type=int, default=5, help="of the queues, messages")
    parser.add_argument("--busy", type=int, default=4, help="processes that keep a core busy each")
    parser.add_argument("--user", default="", help="whose both processes are; empty: yours")
    parser.add_argument("--network", default=Network.LOOPBACK, choices=[*Network, PLAIN])
    parser.add_argument("--role", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.role:
        sys.stdout.write(json.dumps(measure(options, sys.stderr)) + "\n")
        return
    rclpy.init()
    try:
        (send if options.role == "send" else listen)(options)
    except ExternalShutdownException:
        sys.exit(1)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
