"""The AnySkin tactile pad: `/anyskin/tactile` at the sensor's rate, `/anyskin/take_baseline`."""

from collections import deque

import numpy as np
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from std_msgs.msg import Header

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import MAGNETOMETERS
from vital_interfaces.msg import TactileArray
from vital_interfaces.srv import TakeBaseline
from vital_perception.anyskin.anyskin_parameters import AnySkinParameters
from vital_perception.anyskin.anyskin_protocol import FRAME_BYTES, Frame, FrameParser
from vital_perception.anyskin.mounting import Mounting
from vital_perception.anyskin.serial_reader import BITS_PER_BYTE, Link, SerialReader, open_serial
from vital_perception.anyskin.tactile_stream import Reading, StreamConfig, TactileStream
from vital_ros.boundary import serve
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node

LOWEST_RATE_HZ = 50.0
RATE_OVER_S = 1.0
BASELINE_PATIENCE_S = 1.0
SLOWEST_RATE_HZ = 20.0


class AnySkinNode(Node):
    """Readings are published from the reader's thread, as they come."""

    def __init__(self) -> None:
        super().__init__("anyskin")
        given = declare(self, AnySkinParameters)
        self._stream = TactileStream(Mounting(given.axes, given.rotation), declare(self, StreamConfig))
        self._frame_id = given.frame_id
        self._second_per_byte = BITS_PER_BYTE / given.baud
        self._parser = FrameParser()
        self._arrivals: deque[float] = deque(maxlen=500)
        self._said = Link.SEARCHING
        self._publisher = self.create_publisher(TactileArray, "/anyskin/tactile", qos_profile_sensor_data)
        serve(self, TakeBaseline, "/anyskin/take_baseline", self._on_baseline)
        self._reader = SerialReader(lambda: open_serial(given.port, given.baud), self._on_data, self._on_lost)
        self._diagnostics = Diagnostics(self, self._health)
        self._reader.start()

    def _on_data(self, data: bytes, arrived_s: float) -> int:
        frames = self._parser.feed(data)
        for frame in frames:
            stamp_s = arrived_s - (frame.trailing_bytes + FRAME_BYTES) * self._second_per_byte
            self._arrivals.append(arrived_s)
            self._publish(frame, stamp_s)
        return len(frames)

    def _publish(self, frame: Frame, stamp_s: float) -> None:
        reading = self._stream.take(frame, stamp_s)
        self._publisher.publish(self._message(reading))

    def _message(self, reading: Reading) -> TactileArray:
        age_ns = int((steady_s() - reading.stamp_s) * 1e9)
        now = self.get_clock().now()
        stamp = Time(nanoseconds=now.nanoseconds - age_ns, clock_type=now.clock_type)
        return TactileArray(
            header=Header(frame_id=self._frame_id, stamp=stamp.to_msg()),
            magnetometers=MAGNETOMETERS,
            field_ut=reading.field_ut.ravel().tolist(),
            valid=reading.valid.tolist(),
            baseline_ut=self._stream.baseline_ut.tolist(),
            baseline_id=self._stream.baseline_id,
        )

    def _on_lost(self) -> None:
        self._parser.reset()
        self._stream.forget()
        self._arrivals.clear()

    def _on_baseline(self, request: TakeBaseline.Request, response: TakeBaseline.Response) -> TakeBaseline.Response:
        try:
            if self._reader.link is not Link.READING:
                raise VitalError(ErrorCode.DEVICE_LOST, f"no baseline taken: {self._state()}")
            patience_s = BASELINE_PATIENCE_S + request.samples / SLOWEST_RATE_HZ
            response.baseline_ut = self._stream.take_baseline(request.samples, patience_s).tolist()
            response.success, response.message = True, "median of the readings taken"
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
        response.baseline_id = self._stream.baseline_id
        return response

    def rate_hz(self) -> float:
        """Readings a second, over the last second."""
        since_s = steady_s() - RATE_OVER_S
        return float(np.sum(np.array(self._arrivals.copy()) >= since_s)) / RATE_OVER_S

    def _state(self) -> str:
        problem = self._reader.problem
        return f"tactile sensor: {self._reader.link.value}" + (f" ({problem})" if problem else "")

    def _health(self) -> Health:
        if self._reader.failure is not None:
            raise VitalError(ErrorCode.INTERNAL, f"the serial reader's thread ended: {self._reader.failure!r}")
        link, rate_hz, c = self._reader.link, self.rate_hz(), self._parser.counters
        self._say(link)
        values = {
            "rate_hz": rate_hz,
            "frames": c.frames,
            "frames_dropped": c.dropped,
            "frames_implausible": c.implausible,
            "resyncs": c.resyncs,
            "connections": self._reader.connections,
            "losses": self._reader.losses,
            "bytes": self._reader.bytes_received,
            "saturated_readings": self._stream.saturated_readings,
            "unread_readings": self._stream.unread_readings,
            "baseline_id": self._stream.baseline_id,
        }
        if link is not Link.READING:
            return Health(ERROR, self._state(), values)
        if rate_hz < LOWEST_RATE_HZ:
            return Health(WARN, f"{rate_hz:.0f} readings/s, expected {LOWEST_RATE_HZ:.0f} or more", values)
        return Health(OK, f"{rate_hz:.0f} readings/s", values)

    def _say(self, link: Link) -> None:
        """One line whenever the connection changes."""
        if link is self._said:
            return
        self._said = link
        if link is Link.READING:
            self.get_logger().info(self._state())
        else:
            self.get_logger().error(self._state())

    def on_exit(self) -> None:
        """End the reader before the publisher goes."""
        self._reader.close()


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    exit_with(run_node(AnySkinNode, args=args))


if __name__ == "__main__":
    main()
