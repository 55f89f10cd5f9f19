"""Threads that read devices: however a device fails, it is a state that the node can tell, and every port is closed."""

import threading
from collections.abc import Callable

import pytest

from vital_perception.anyskin.serial_reader import MOST_BYTES, Link, LinkTimes, SerialReader
from vital_perception.device_thread import DeviceThread

QUICK = LinkTimes(retry_s=0.01, silent_s=0.05, reopen_s=0.2)
PATIENCE_S = 20.0


def test_thread_that_looks_at_stopping_ends_when_it_is_closed_even_twice():
    thread = DeviceThread("reads", lambda: thread.stopping.wait())
    thread.start()
    assert thread.close() and thread.close()
    assert thread.failure is None


def test_thread_that_was_never_started_is_closed():
    assert DeviceThread("unborn", lambda: None).close()


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), OSError("a device"), StopIteration()])
def test_what_the_thread_raises_is_kept_and_the_thread_has_ended(error):
    def read() -> None:
        raise error

    thread = DeviceThread("breaks", read)
    thread.start()
    assert thread.close(PATIENCE_S) and thread.failure is error


def test_driver_that_hangs_in_the_kernel_holds_nobody_up():
    hangs = threading.Event()
    thread = DeviceThread("hangs", hangs.wait)
    thread.start()
    assert not thread.close(timeout_s=0.05), "it has not ended, and that is said"
    hangs.set()
    assert thread.close(PATIENCE_S), "the kernel let go of it"


class ScriptedPort:
    """A port whose reads are what ``script`` gives: bytes, or an error to raise. At its end it is unplugged."""

    def __init__(self, *script: bytes | Exception, waiting: int = 0, close_error: OSError | None = None) -> None:
        self.in_waiting = waiting
        self.asked: list[int] = []
        self.closed = 0
        self._script, self._close_error = iter(script), close_error

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        step = next(self._script, OSError("unplugged"))
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed += 1
        if self._close_error is not None:
            raise self._close_error


class Run:
    """A reader over ports opened one after the other (errors are raised by the opening); stops after the last one."""

    def __init__(self, *ports: ScriptedPort | Exception, on_data: Callable[[bytes, float], int] | None = None) -> None:
        self.got: list[bytes] = []
        self.lost = 0
        self.links_when_lost: list[Link] = []
        self._ports = iter(ports)
        self.over = threading.Event()
        self.reader = SerialReader(self._open, on_data or self._on_data, self._on_lost, QUICK)
        self.reader.start()

    def _open(self) -> ScriptedPort:
        port = next(self._ports, None)
        if port is None:
            self.over.set()
            raise OSError("nothing more")
        if isinstance(port, Exception):
            raise port
        return port

    def _on_data(self, data: bytes, _: float) -> int:
        self.got.append(data)
        return 1

    def _on_lost(self) -> None:
        self.lost += 1
        self.links_when_lost.append(self.reader.link)

    def to_the_end(self) -> SerialReader:
        assert self.over.wait(PATIENCE_S), "not every port was opened"
        assert self.reader.close()
        return self.reader


def test_each_connection_is_closed_and_said_to_be_lost_once():
    ports = [ScriptedPort(b"one"), OSError("busy"), ScriptedPort(), ValueError("bad baud"), ScriptedPort(b"two")]
    run = Run(*ports)
    reader = run.to_the_end()
    assert run.got == [b"one", b"two"]
    assert [p.closed for p in ports if isinstance(p, ScriptedPort)] == [1, 1, 1]
    assert (reader.connections, reader.losses, run.lost) == (3, 3, 3)
    assert run.links_when_lost == [Link.SEARCHING] * 3 and reader.failure is None
    assert reader.bytes_received == 6 and reader.problem == "nothing more"


def test_port_that_cannot_even_be_closed_is_given_up_for_the_next_one():
    broken = ScriptedPort(b"one", close_error=OSError("input/output error"))
    run = Run(broken, ScriptedPort(b"two"))
    assert run.to_the_end().failure is None
    assert run.got == [b"one", b"two"] and run.lost == 2


def test_reads_wait_for_one_byte_and_never_take_more_than_a_bound():
    still, flood = ScriptedPort(b"x", waiting=0), ScriptedPort(b"x", waiting=10 * MOST_BYTES)
    Run(still, flood).to_the_end()
    assert set(still.asked) == {1} and set(flood.asked) == {MOST_BYTES}


def test_failure_of_whoever_is_told_is_no_loss_of_the_device_but_ends_the_thread_with_its_port_closed():
    def fail(data: bytes, arrived_s: float) -> int:
        raise KeyError("ours")

    port = ScriptedPort(b"x")
    run = Run(port, on_data=fail)
    run.reader._thread.join(PATIENCE_S)
    assert isinstance(run.reader.failure, KeyError) and port.closed == 1 and run.reader.losses == 0
    assert run.reader.link is Link.SEARCHING
