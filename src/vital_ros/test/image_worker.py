"""Sends images, or listens to them, as told through standard input and output.

send: a first pair, repeated until somebody has it; `ready`; after a line of input five pairs at once; `sent`.
listen: `ready` after the first pair; after a line of input, the numbers of the images that come within the seconds
in it.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from vital_ros.image_message import to_message
from vital_ros.process.network import apply_network_settings
from vital_ros.qos import IMAGES

TOPICS = ("/test/colour", "/test/depth")
BURST = IMAGES.depth
PATIENCE_S = 60.0


def say(word: str) -> None:
    """A line to the test."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def spin_until(node: Node, condition: Callable[[], bool], seconds: float) -> bool:
    """Spin until the condition holds; whether it does."""
    deadline_s = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline_s:
        rclpy.spin_once(node, timeout_sec=0.05)
    return condition()


def send(node: Node) -> None:
    """One that sends."""
    colour = to_message(np.zeros((480, 640, 3), np.uint8), "rgb8", Header())
    depth = to_message(np.zeros((480, 640), np.uint16), "16UC1", Header())
    publishers = [node.create_publisher(Image, topic, IMAGES) for topic in TOPICS]

    def publish(number: int) -> None:
        for publisher, message in zip(publishers, (colour, depth), strict=True):
            message.header.frame_id = str(number)
            publisher.publish(message)

    assert spin_until(node, lambda: all(p.get_subscription_count() for p in publishers), PATIENCE_S), "nobody listens"
    publish(0)
    say("ready")
    sys.stdin.readline()
    for number in range(1, BURST + 1):
        publish(number)
    say("sent")
    sys.stdin.readline()


def listen(node: Node) -> None:
    """One that listens."""
    got: dict[str, set[int]] = {topic: set() for topic in TOPICS}
    for topic in TOPICS:
        node.create_subscription(
            Image, topic, lambda message, topic=topic: got[topic].add(int(message.header.frame_id)), IMAGES
        )
    assert spin_until(node, lambda: all(got.values()), PATIENCE_S), "no image came"
    say("ready")
    seconds = float(sys.stdin.readline())
    spin_until(node, lambda: all(len(numbers) == BURST + 1 for numbers in got.values()), seconds)
    say(json.dumps({topic: sorted(numbers) for topic, numbers in got.items()}))


def main() -> None:
    """Entry point."""
    apply_network_settings()
    rclpy.init()
    node = Node(f"image_{sys.argv[1]}")
    (send if sys.argv[1] == "send" else listen)(node)
    rclpy.shutdown()


if __name__ == "__main__":
    main()
