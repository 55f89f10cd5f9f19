"""Who gets the operator's seat: tokens, PINs and those who guess them, with real clients of several addresses."""

import json
import os
import pty
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core.access import lockout
from vital_core.access.door import Door
from vital_core.access.lockout import Lockout, address_of
from vital_core.access.one_time_token import owners_folder, write_owners_file
from vital_core.access.waiting_room import MOST_FROM_ONE_ADDRESS, MOST_GUESTS, WaitingRoom
from vital_teleop.devices.webxr import WebXr
from vital_teleop.devices.webxr_settings import WebXrSettings

websockets = pytest.importorskip("websockets.sync.client")
PIN = "271828"
OPERATOR, STRANGER = "127.0.0.3", "127.0.0.2"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


# The lock-out alone.


def test_each_wrong_guess_doubles_the_wait_of_its_address_alone():
    clock = Clock()
    out = Lockout(clock)
    waits = []
    for _ in range(12):
        out.wrong("1.2.3.4")
        waits.append(out.wait_s("1.2.3.4"))
        clock.now_s += waits[-1]
        assert out.wait_s("1.2.3.4") == 0.0
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0] and waits[-1] == lockout.LONGEST_WAIT_S
    assert out.wait_s("5.6.7.8") == 0.0


def guesses_in(hours: float, addresses: int) -> int:
    """Guesses judged when everybody at so many addresses guesses as fast as they are let."""
    clock, judged = Clock(), 0
    out = Lockout(clock)
    end_s = clock.now_s + 3600 * hours
    while clock.now_s < end_s:
        for i in range(addresses):
            if out.wait_s(f"10.0.0.{i}") == 0.0:
                out.wrong(f"10.0.0.{i}")
                judged += 1
        clock.now_s += 10.0
    return judged


def test_a_day_of_guessing_finds_no_six_digits():
    assert guesses_in(24, addresses=1) < 120
    assert guesses_in(4, addresses=200) < 30 + 4 * 120 + 2


def test_whoever_was_let_in_is_not_held_up_by_an_attack_from_many_addresses():
    out = Lockout(Clock())
    out.right("192.168.0.9")
    for i in range(100):
        if out.wait_s(f"10.0.0.{i}") == 0.0:
            out.wrong(f"10.0.0.{i}")
    assert out.wait_s("10.0.1.1") > 0.0 and out.wait_s("192.168.0.9") == 0.0


def test_a_machine_has_a_whole_network_of_ipv6():
    assert address_of("2001:db8::1") == address_of("2001:db8::ffff:1") != address_of("2001:db8:0:1::1")
    assert address_of("::ffff:10.0.0.1") == address_of("10.0.0.1") and address_of("fe80::1%eth0") == "fe80::/64"


def test_a_token_counts_once_and_a_locked_out_address_may_still_use_it():
    published = []
    door = Door(PIN, published.append)
    for _ in range(50):
        assert not door.try_key("guess", STRANGER).admitted
    assert not door.try_key(PIN, STRANGER).admitted, "while it is locked out not even the right one counts"
    assert door.try_key(published[0], STRANGER).admitted
    assert not door.try_key(published[0], STRANGER).admitted and len(published) == 2
    assert door.try_key(PIN, OPERATOR).admitted


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0.0, 100.0)), max_size=200))
def test_however_guesses_are_spread_over_addresses_and_time_the_budget_of_all_holds(guesses):
    clock = Clock()
    out, judged = Lockout(clock), 0
    for address, pause_s in guesses:
        clock.now_s += pause_s
        if out.wait_s(str(address)) == 0.0:
            out.wrong(str(address))
            judged += 1
        assert judged <= lockout.BUDGET + (clock.now_s - Clock.now_s) / lockout.REFILL_S + 1e-6
        assert out.wait_s(str(address)) > 0.0, "the next one from there always waits"


def test_lock_out_remembers_a_bounded_number_of_addresses_and_forgets_the_oldest():
    out = Lockout(Clock())
    for i in range(lockout.MOST_ADDRESSES + 10):
        out.wrong(f"a{i}")
        out.right(f"b{i}")
    assert len(out._wrong) == len(out._let_in) == lockout.MOST_ADDRESSES
    assert "a9" not in out._wrong and "a10" in out._wrong


def test_right_key_clears_the_wait_of_its_address_and_the_next_wrong_one_begins_anew():
    clock = Clock()
    out = Lockout(clock)
    for _ in range(6):
        out.wrong("1.2.3.4")
    out.right("1.2.3.4")
    assert out.wait_s("1.2.3.4") == 0.0
    out.wrong("1.2.3.4")
    assert out.wait_s("1.2.3.4") == lockout.FIRST_WAIT_S


def test_only_the_newest_way_back_opens_and_none_does_before_there_is_one():
    door = Door(PIN, lambda _: None)
    assert not door.come_back("", STRANGER).admitted
    first, second = door.new_way_back(), door.new_way_back()
    assert not door.come_back(first, OPERATOR).admitted and not door.come_back("", STRANGER).admitted
    assert door.come_back(second, OPERATOR).admitted and door.come_back(second, OPERATOR).admitted
    assert not Door("", lambda _: None).try_key("", STRANGER).admitted, "no PIN is not an empty one"


def test_token_that_cannot_be_written_any_more_harms_nobody_who_has_the_pin():
    published = []

    def publish(token: str) -> None:
        published.append(token)
        if len(published) > 1:
            raise OSError("disk full")

    door = Door(PIN, publish)
    assert door.try_key(published[0], OPERATOR).admitted and door.try_key(PIN, STRANGER).admitted


# The waiting room and the token's file.


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=60))
def test_newcomer_always_finds_a_place_and_who_waits_longest_from_the_fullest_address_goes(visits):
    """Each visit: an address that comes, and a guest of those before who leaves by itself."""
    room, waiting = WaitingRoom(), []
    with ExitStack() as sockets:
        for address, leaves in visits:
            ours, theirs = (sockets.enter_context(end) for end in socket.socketpair())
            sockets.enter_context(room.guest(ours, f"10.0.0.{address}"))
            before = Counter(a for _, _, a in waiting)
            if before[address] >= MOST_FROM_ONE_ADDRESS or len(waiting) >= MOST_GUESTS:
                crowded = before[address] >= MOST_FROM_ONE_ADDRESS
                most = {address} if crowded else {a for a, n in before.items() if n == max(before.values())}
                gone = next(guest for guest in waiting if guest[2] in most and is_sent_away(guest[1]))
                assert gone == next(guest for guest in waiting if guest[2] == gone[2]), "the longest of its address"
                waiting.remove(gone)
            waiting.append((ours, theirs, address))
            if leaves < len(waiting):
                room.leave(waiting.pop(leaves)[0])
            assert len(room) == len(waiting) <= MOST_GUESTS
        assert not any(is_sent_away(theirs) for _, theirs, _ in waiting), "nobody else was"
        room.empty()
        assert len(room) == 0 and all(is_sent_away(theirs) for _, theirs, _ in waiting)


def is_sent_away(other_end: socket.socket) -> bool:
    """Whether the connection was ended, seen from its other end."""
    try:
        return other_end.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


def test_token_file_takes_the_place_of_whatever_stood_there_and_never_follows_a_link(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("not ours to write")
    file = tmp_path / "new" / "address"
    write_owners_file(file, "first")
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.unlink()
    file.symlink_to(theirs)
    write_owners_file(file, "second")
    assert theirs.read_text() == "not ours to write" and not file.is_symlink() and file.read_text() == "second"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    write_owners_file(file, "third")
    assert file.read_text() == "third" and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file], "nothing is left aside"


def test_token_that_cannot_be_put_in_place_leaves_nothing_aside(tmp_path):
    (tmp_path / "address" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_owners_file(tmp_path / "address", "secret")
    assert [p.name for p in tmp_path.iterdir()] == ["address"]


def test_owners_folder_is_the_runtimes_or_ross_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("ROS_HOME", "/ros")
    assert owners_folder() == tmp_path
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    assert owners_folder() == Path("/ros")
    monkeypatch.delenv("ROS_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert owners_folder() == Path("/home/somebody/.ros")


def test_guesses_at_the_same_moment_are_judged_one_by_one():
    door, judged = Door(PIN, lambda _: None), []
    start = threading.Barrier(20)

    def guess() -> None:
        start.wait()
        judged.append("not the PIN" in door.try_key("000000", STRANGER).text)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(judged) == 1


# Over the wire.


@pytest.fixture
def serve(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    devices = []

    def start(pin: str = "") -> WebXr:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        devices.append(WebXr(WebXrSettings(port=port, pin=pin)))
        devices[-1].open()
        return devices[-1]

    yield start
    for device in devices:
        device.close()


def knock(device: WebXr, host: str = "127.0.0.1"):
    url = device.url.replace("http", "ws") + "hand"
    return websockets.connect(url, origin=device.url.rstrip("/"), source_address=(host, 0))


def say(client, **word):
    client.send(json.dumps(word))
    return json.loads(client.recv(timeout=20.0))


def token_of(device: WebXr) -> str:
    return device.address_file.read_text().strip().partition("#")[2]


def test_naming_the_origin_is_not_enough_on_the_loopback(serve):
    device = serve()
    with knock(device) as client:
        assert json.loads(client.recv()) == {"need": "pin"}
        client.send(json.dumps({"clutch": True, "p": [0, 0, 0], "q": [0, 0, 0, 1]}))
        assert "not the PIN" in json.loads(client.recv())["error"]
    assert device.poll().pose is None


def test_token_is_in_a_file_of_its_owners_and_gone_with_the_node(serve):
    device = serve()
    assert stat.S_IMODE(device.address_file.stat().st_mode) == 0o600
    first = token_of(device)
    with knock(device) as client:
        client.recv()
        assert say(client, pin=first)["ok"] == "connected"
    assert len(first) >= 22 and token_of(device) != first and first not in device.help
    device.close()
    assert not device.address_file.exists()


def test_strangers_guesses_are_slowed_down_while_the_operators_pin_opens(serve):
    device = serve(PIN)
    stopping, answers, enough = threading.Event(), [], threading.Event()

    def attack() -> None:
        while not stopping.is_set():
            with knock(device, STRANGER) as client:
                for _ in range(3):
                    client.recv()
                    answers.append(say(client, pin="000000")["error"])
            if len(answers) >= 20:
                enough.set()

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    start = time.monotonic()
    assert enough.wait(30.0)
    with knock(device, OPERATOR) as operator:
        operator.recv()
        assert say(operator, pin=PIN)["ok"] == "connected"
    stopping.set()
    thread.join(20.0)
    judged = sum("not the PIN" in answer for answer in answers)
    took_s = time.monotonic() - start
    assert judged <= 2 + took_s, f"{judged} of {len(answers)} judged in {took_s:.1f} s"
    assert any("wait" in answer for answer in answers)


def test_guests_who_say_nothing_keep_nobody_out_and_are_few(serve):
    device = serve(PIN)
    silent = [knock(device, f"127.0.0.{10 + i % 6}") for i in range(MOST_GUESTS + 8)]
    try:
        assert len(device._room) <= MOST_GUESTS
        with knock(device, OPERATOR) as operator:
            operator.recv()
            assert say(operator, pin=PIN)["ok"] == "connected"
            assert len(device._room) < MOST_GUESTS, "an operator is no guest"
    finally:
        for client in silent:
            client.close()


def test_one_address_cannot_fill_the_room(serve):
    device = serve(PIN)
    with knock(device, OPERATOR) as patient:
        patient.recv()
        crowd = [knock(device, STRANGER) for _ in range(MOST_GUESTS * 2)]
        assert len(device._room) <= MOST_FROM_ONE_ADDRESS + 1
        assert say(patient, pin=PIN)["ok"] == "connected"
        for client in crowd:
            client.close()


def test_a_guest_who_says_nothing_is_sent_away_in_time(serve, monkeypatch):
    monkeypatch.setattr("vital_teleop.devices.webxr.GUEST_S", 0.3)
    device = serve(PIN)
    with knock(device) as client:
        client.recv()
        with pytest.raises(websockets_closed()):
            client.recv(timeout=20.0)


def websockets_closed():
    from websockets.exceptions import ConnectionClosed

    return ConnectionClosed


SERVE = """
import sys
from vital_teleop.devices.webxr import WebXr
from vital_teleop.devices.webxr_settings import WebXrSettings
device = WebXr(WebXrSettings(port=int(sys.argv[1])))
device.open()
print(device.help, flush=True)
print("ready", file=sys.stderr, flush=True)
sys.stdin.read()
device.close()
"""


def test_token_goes_to_the_terminal_and_never_to_what_a_launch_logs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal, other_end = pty.openpty()
    log = tmp_path / "log.txt"
    take_terminal = f"import fcntl, termios; fcntl.ioctl({other_end}, termios.TIOCSCTTY, 0)"
    with log.open("w") as out:
        node = subprocess.Popen(
            [sys.executable, "-c", f"{take_terminal}\n{SERVE}", str(port)],
            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, start_new_session=True, pass_fds=(other_end,),
        )  # fmt: skip
    try:
        assert node.stderr is not None
        assert node.stderr.readline() == b"ready\n", "it says nothing else before, the token least of all"
        token = (tmp_path / f"vital_webxr_{port}.url").read_text().strip().partition("#")[2]
        assert token and token in os.read(terminal, 4096).decode()
        assert token not in log.read_text() and "vital_webxr" in log.read_text()
    finally:
        node.communicate(timeout=20.0)
        os.close(terminal)
        os.close(other_end)
