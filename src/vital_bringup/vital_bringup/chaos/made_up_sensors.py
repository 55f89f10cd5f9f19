"""The sensors of a made-up demonstration that repeats, in real time: what a recorder needs to hear.

python -m vital_bringup.chaos.made_up_sensors
"""

import threading
import time

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from vital_core.clock import steady_s
from vital_data.convert.messages import JOINT_TOPIC, messages_of
from vital_data.dataset import synthetic
from vital_ros.conversions import time_message
from vital_ros.process.node_main import exit_with, run_node

SENSORS = ("/wrist_camera/image_raw", "/anyskin/tactile", JOINT_TOPIC)
PUBLISHED = (*SENSORS, "/vital/command")
FRAMES = 90


class MadeUpSensors(Node):
    """Publishes from a thread until the node ends."""

    def __init__(self) -> None:
        super().__init__("made_up_sensors")
        streams = {name: s for name, s in synthetic.streams(FRAMES).items() if name in PUBLISHED}
        self._messages = list(messages_of(streams))
        self._ours = {
            topic: self.create_publisher(kind, topic, qos_profile_sensor_data if topic in SENSORS else 10)
            for topic, kind in {topic: type(message) for topic, _, message in self._messages}.items()
        }
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def _show(self) -> None:
        first_ns = self._messages[0][1]
        while not self._ending.is_set():
            start_s = steady_s()
            for topic, stamp_ns, message in self._messages:
                time.sleep(max(0.0, start_s + (stamp_ns - first_ns) * 1e-9 - steady_s()))
                if self._ending.is_set():
                    return
                message.header.stamp = time_message(self.get_clock().now().nanoseconds)
                self._ours[topic].publish(message)

    def on_exit(self) -> None:
        """End the thread before the publishers go."""
        self._ending.set()
        self._thread.join(1.0)


def main() -> None:
    """Publish until SIGINT or SIGTERM."""
    exit_with(run_node(MadeUpSensors))


if __name__ == "__main__":
    main()
