"""The monitor over real DDS, with a WebSocket client in the place of a browser."""

import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from page_client import PageClient
from ros_domain import own_domain
from stack_for_pages import COMMAND, STOP_NUMBER, Running
from waiting import stays
from websockets.exceptions import ConnectionClosed

from vital_interfaces.msg import GateState, SessionState, TeleopEvent

SIT, UP, POINTS = "STEER FROM THIS PAGE", "GIVE UP STEERING", "depth points"


@pytest.fixture(autouse=True)
def fresh(request) -> Iterator[None]:
    yield
    if "running" in request.fixturenames:
        here = request.getfixturevalue("running")
        here.close_pages()
        here.stack.mode = GateState.MOVING
        here.stack.lead(SessionState.FINISHED, "")
        here.stack.events.clear()


def seated(here: Running, name: str = "Anna") -> PageClient:
    page = here.page()
    page.until(lambda: page.offers(SIT))
    page.write("your name", name)
    time.sleep(0.1)
    page.press(SIT)
    page.until(lambda: page.offers(UP))
    return page


def test_the_page_shows_gate_policy_touch_and_both_cameras(running) -> None:
    images = Counter()

    def note(message: dict) -> None:
        if "_data" in message.get("updates", {}):
            images[message["uuid"]] += 1

    page = running.page(hear=note)
    page.until(lambda: "MOVING" in page.text and "usb_insertion, running" in page.text)
    page.until(lambda: "largest change 1" in page.text and "of 950 allowed" in page.text)
    page.until(lambda: max(images.values(), default=0) > 5)


def test_the_arm_moves_and_target_workspace_and_start_region_are_there(running) -> None:
    names, turned = set(), set()

    def note(message: dict) -> None:
        names.add(message.get("name", ""))
        if message["type"] == "SetOrientationMessage":
            turned.add(message["name"].split("/")[-1])

    page = running.page(hear=note)
    page.until(lambda: {"/target", "/start_region", "/workspace", "/table/plank0", "/table/leg3"} <= names)
    page.until(lambda: {f"link{i}" for i in range(1, 8)} <= turned)


def test_the_points_of_the_depth_camera_come_when_they_are_asked_for(running) -> None:
    seen = []
    page = running.page(hear=lambda m: seen.append(m["type"]) if m.get("name") == "/points" else None)
    page.until(lambda: page.offers(POINTS))
    time.sleep(1.0)
    assert not seen and running.stack.depth.get_subscription_count() == 0
    page.write(POINTS, True)
    page.until(lambda: "PointCloudMessage" in seen)
    page.write(POINTS, False)
    page.until(lambda: running.stack.depth.get_subscription_count() == 0)


@pytest.mark.timing
@pytest.mark.parametrize("how", ["button", "space bar"])
def test_stop_reaches_the_gate_from_any_page_in_time(running, how) -> None:
    page = running.page()
    page.until(lambda: page.offers("STOP") and bool(page.commands))
    took_s = []
    for _ in range(5):
        before = len(running.stack.stops)
        pressed_s = time.monotonic()
        if how == "button":
            page.press("STOP")
        else:
            page.trigger("STOP the arm")
        running.until(lambda before=before: len(running.stack.stops) > before)
        took_s.append(running.stack.stops[-1][0] - pressed_s)
        time.sleep(0.2)
    assert sorted(took_s)[2] < 0.15, took_s
    assert "STOP on the monitor" in running.stack.stops[-1][1]
    page.until(lambda: "STOPPED" in page.text)
    running.until(lambda: TeleopEvent.STOP in [event.kind for event in running.stack.events])


def test_a_second_page_is_told_who_steers_and_steers_once_that_page_is_gone(running) -> None:
    first, second = seated(running), running.page()
    second.until(lambda: second.offers(SIT) and "Anna steers from another page" in second.text)
    second.write("your name", "Ben")
    time.sleep(0.1)
    second.press(SIT)
    stays(lambda: "have it given up there" in second.text and second.offers(SIT), 0.5)
    assert not second.offers("BASELINE") and first.offers("BASELINE")
    first.close()
    second.until(lambda: "nobody steers" in second.text and "Anna steers" not in second.text)
    second.press(SIT)
    second.until(lambda: second.offers(UP))


def test_a_page_that_was_never_given_the_seat_is_not_obeyed(running) -> None:
    first = seated(running)
    first.until(lambda: first.offers("BASELINE"))
    second = running.page()
    second.until(lambda: second.offers(SIT))
    before = running.stack.baselines
    hidden = next(u for u, part in second.parts.items() if part.get("label") == "BASELINE")
    second.send({"type": "GuiUpdateMessage", "uuid": hidden, "updates": {"value": True}})
    stolen = next(u for u, part in first.parts.items() if part.get("label") == "BASELINE")
    second.send({"type": "GuiUpdateMessage", "uuid": stolen, "updates": {"value": True}})
    time.sleep(0.5)
    assert running.stack.baselines == before
    first.press("BASELINE")
    running.until(lambda: running.stack.baselines == before + 1)
    first.until(lambda: "baseline: done" in first.text)


def test_nobody_steers_without_a_name(running) -> None:
    page = running.page()
    page.until(lambda: page.offers(SIT))
    page.press(SIT)
    page.until(lambda: "say your name first" in page.text)
    assert not page.offers(UP)


def test_a_stop_is_cleared_with_the_name_and_only_offered_while_it_stands(running) -> None:
    page = seated(running, "Anna B.")
    assert not page.offers("CLEAR STOP")
    running.stack.mode = GateState.LATCHED
    page.until(lambda: page.offers("CLEAR STOP"))
    page.press("CLEAR STOP")
    running.until(lambda: running.stack.clears == ["Anna B."])
    assert running.stack.cleared_numbers == [STOP_NUMBER]
    page.until(lambda: not page.offers("CLEAR STOP"))


@pytest.mark.parametrize(
    ("phase", "label", "kind"),
    [
        (SessionState.READY, "START", TeleopEvent.START),
        (SessionState.RECORDING, "SUCCESS", TeleopEvent.SUCCESS),
        (SessionState.RECORDING, "FAILURE", TeleopEvent.FAILURE),
        (SessionState.READY, "REDO", TeleopEvent.REDO),
        (SessionState.READY, "FINISH", TeleopEvent.FINISH),
    ],
)
def test_a_session_hears_the_buttons_that_it_waits_for(running, phase, label, kind) -> None:
    page = seated(running)
    running.stack.lead(phase, "what a person is asked")
    page.until(lambda: page.offers(label) and "what a person is asked" in page.text)
    time.sleep(0.6)
    page.press(label)
    running.until(lambda: [(e.device, e.kind) for e in running.stack.events] == [("monitor", kind)])


def test_a_sentence_is_run_shown_and_cancelled(running) -> None:
    page = seated(running)
    page.until(lambda: page.offers("RUN") and not page.offers("CANCEL"))
    page.write("sentence", "  insert it   there ")
    time.sleep(0.1)
    page.press("RUN")
    running.until(lambda: [goal.prompt for goal in running.stack.asked] == ["insert it there"])
    page.until(lambda: "looking for it" in page.text and "LOCALIZE" in page.text)
    page.until(lambda: page.offers("CANCEL") and not page.offers("RUN"))
    page.press("CANCEL")
    page.until(lambda: "cancelled by the person" in page.text and "LOCALIZE" not in page.text)


def test_a_page_of_another_origin_is_turned_away(running) -> None:
    page = running.page(origin="https://evil.example")
    assert page.closed.wait(10.0)
    with pytest.raises((ConnectionClosed, LookupError)):
        page.press("STOP")


def test_a_tunnel_to_elsewhere_is_refused_with_a_sentence(running) -> None:
    page = running.page()
    page.until(lambda: page.offers("STOP"))
    deadline_s = time.monotonic() + 20.0
    # What is refused is said once a second at most, and other pages were.
    while "a tunnel is not opened" not in running.log.read_text():
        assert time.monotonic() < deadline_s
        page.send({"type": "ShareUrlRequest"})
        time.sleep(0.2)


def test_it_listens_to_the_loopback_alone(running) -> None:
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1", "127.0.1.1"}:
        with pytest.raises(OSError):
            socket.create_connection((address, running.port), timeout=1.0).close()


def test_ten_pages_are_served_and_the_senses_rest_once_all_are_gone(running) -> None:
    pages = [running.page() for _ in range(10)]
    for page in pages:
        page.until(lambda page=page: "MOVING" in page.text)
    running.close_pages()
    running.until(lambda: running.stack.wrist.get_subscription_count() == 0)
    assert running.stack.touch.get_subscription_count() == 0


def test_a_page_that_hangs_holds_up_nobody(running) -> None:
    released = threading.Event()
    running.page(hear=lambda _: released.wait(60.0))
    page = running.page()
    page.until(lambda: "MOVING" in page.text)
    running.stack.mode = GateState.LATCHED
    page.until(lambda: "STOPPED" in page.text)
    assert not released.is_set() and running.process.poll() is None
    released.set()


@pytest.mark.timing
def test_a_thousand_messages_a_second_cost_no_more_than_the_page_shows(running) -> None:
    updates = []
    page = running.page(hear=lambda m: updates.append(m) if "fingertip" in str(m.get("updates", "")) else None)
    page.until(lambda: "MOVING" in page.text)
    before_s, updates[:] = running.cpu_s(), []
    start_s = time.monotonic()
    for i in range(3000):
        running.stack.feel_once(float(i % 500))
        running.stack.move_once()
        time.sleep(max(0.0, start_s + i / 1000.0 - time.monotonic()))
    took_s = time.monotonic() - start_s
    assert len(updates) / took_s > 15.0
    assert (running.cpu_s() - before_s) / took_s < 0.6


def reload(here: Running, times: int) -> None:
    for _ in range(times):
        page = here.page()
        page.until(lambda page=page: page.offers(SIT))
        here.close_pages()


@pytest.mark.slow
def test_a_hundred_reloads_leave_nothing_behind(running) -> None:
    reload(running, 20)
    running.until(lambda: running.stack.wrist.get_subscription_count() == 0)
    before, before_mb = running.held(), running.resident_mb()
    reload(running, 100)
    running.until(lambda: running.stack.wrist.get_subscription_count() == 0)
    running.until(lambda: all(after <= some for after, some in zip(running.held(), before, strict=True)))
    assert running.resident_mb() - before_mb < 30.0


def test_a_page_of_another_version_is_turned_away_and_the_others_go_on(running) -> None:
    page = running.page()
    page.until(lambda: "MOVING" in page.text)
    other = running.page(version="0.0.1")
    assert other.closed.wait(20.0)
    running.stack.mode = GateState.LATCHED
    page.until(lambda: "STOPPED" in page.text)


@pytest.mark.parametrize("data", [b"", b"\x00", b"nonsense", b"\x81\xa4type\xa9Undefined", b"\x93" * 100_000])
def test_what_no_page_says_harms_nobody(running, data) -> None:
    page, rude = running.page(), running.page()
    page.until(lambda: "MOVING" in page.text)
    rude.send_bytes(data)
    running.stack.mode = GateState.LATCHED
    page.until(lambda: "STOPPED" in page.text)


def test_without_a_stack_the_page_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(own_domain(1)))
    here = Running(tmp_path, with_stack=False)
    try:
        page = here.page()
        page.until(lambda: "the command gate is not heard" in page.text and "no policy has been heard" in page.text)
        page.press("STOP")
        page.until(lambda: "STOP reached nobody" in page.text)
    finally:
        here.close()


def test_a_stop_that_reached_nobody_reaches_the_gate_that_comes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(own_domain(2)))
    here = Running(tmp_path, with_stack=False)
    try:
        page = here.page()
        page.until(lambda: page.offers("STOP"))
        page.press("STOP")
        page.until(lambda: "STOP reached nobody" in page.text)
        here.add_stack()
        here.until(lambda: [reason for _, reason in here.stack.stops] == ["STOP on the monitor by somebody"], 9.0)
    finally:
        here.close()


def test_an_address_beyond_this_machine_ends_it_with_one_line(monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(own_domain()))
    done = subprocess.run([*COMMAND, "-p", "host:=0.0.0.0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "[BAD_PARAMETER 11]" in done.stderr and "ssh -L" in done.stderr
    assert "Traceback" not in done.stderr
