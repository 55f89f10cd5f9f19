"""The serial reader on a pseudo-terminal that speaks the protocol: unplugged, plugged in, silent, nonsense."""

import numpy as np
import pytest
from waiting import wait_until

from vital_perception.anyskin.anyskin_protocol import FRAME_BYTES, FrameParser
from vital_perception.anyskin.serial_reader import Link, LinkTimes, SerialReader, find_device, open_serial

QUICK = LinkTimes(retry_s=0.05, silent_s=0.3, reopen_s=1.0)


class Driver:
    """Reader and parser, as in the node."""

    def __init__(self, path: str) -> None:
        self.frames: list = []
        self.parser = FrameParser()
        self.reader = SerialReader(lambda: open_serial(path), self._on_data, self.parser.reset, QUICK)
        self.reader.start()

    def _on_data(self, data: bytes, arrived_s: float) -> int:
        new = self.parser.feed(data)
        self.frames += new
        return len(new)

    def reads_on(self) -> None:
        """More frames come."""
        before = len(self.frames)
        wait_until(lambda: len(self.frames) >= before + 20 and self.reader.link is Link.READING)


@pytest.fixture
def driver(sensor):
    driver = Driver(str(sensor.path))
    yield driver
    assert driver.reader.close() and driver.reader.failure is None


def test_every_frame_sent_is_read(driver: Driver, sensor):
    wait_until(lambda: len(driver.frames) >= 200)
    sensor.talking = False
    wait_until(lambda: driver.reader.link is Link.SILENT or driver.reader.link is Link.SEARCHING)
    # The one before the reader opened the port may be lost, and the one it fell into.
    assert len(driver.frames) >= sensor.sent - 12
    c = driver.parser.counters
    assert (c.dropped, c.resyncs, c.implausible) == (0, 0, 0)


def test_unplugged_and_plugged_in_again_it_goes_on(driver: Driver, sensor):
    driver.reads_on()
    for _ in range(2):
        losses = driver.reader.losses
        sensor.unplug()
        wait_until(lambda: driver.reader.link is Link.SEARCHING and driver.reader.losses == losses + 1)  # noqa: B023
        wait_until(lambda: "ttyACM0" in driver.reader.problem)
        sensor.plug_in()
        driver.reads_on()
    assert driver.reader.connections == 3 and driver.reader.problem == ""
    assert driver.parser.counters.dropped == 0


def test_device_that_is_not_there_yet_is_waited_for(unplugged):
    driver = Driver(str(unplugged.path))
    wait_until(lambda: driver.reader.problem)
    assert driver.reader.link is Link.SEARCHING
    unplugged.plug_in()
    driver.reads_on()
    assert driver.reader.close()


def test_sensor_that_falls_silent_is_a_state_and_the_port_is_opened_anew(driver: Driver, sensor):
    driver.reads_on()
    sensor.talking = False
    wait_until(lambda: driver.reader.link is Link.SILENT)
    wait_until(lambda: driver.reader.connections >= 2)
    sensor.talking = True
    driver.reads_on()


def test_bytes_of_another_baud_rate_are_told_apart_from_silence(driver: Driver, sensor):
    driver.reads_on()
    good, rng = sensor.make, np.random.default_rng(3)
    sensor.make = lambda: rng.integers(0, 256, FRAME_BYTES, dtype=np.uint8).tobytes()
    wait_until(lambda: driver.reader.link is Link.GARBAGE)
    sensor.make = good
    driver.reads_on()


def test_frame_cut_off_by_the_cable_costs_itself_alone(driver: Driver, sensor):
    driver.reads_on()
    whole, cuts = sensor.make, iter([True])
    sensor.make = lambda: whole()[20:] if next(cuts, False) else whole()
    driver.reads_on()
    wait_until(lambda: driver.parser.counters.resyncs == 1)
    assert driver.parser.counters.dropped == 1


def test_automatic_search_says_what_it_looked_for():
    with pytest.raises(OSError, match="239a:80cb"):
        find_device("auto")
