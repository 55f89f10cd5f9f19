"""The page in a real browser."""

import time
from collections.abc import Iterator

import pytest
from browser import Browser, program

from vital_interfaces.msg import GateState, SessionState, TeleopEvent

pytestmark = [pytest.mark.slow, pytest.mark.skipif(program() is None, reason="there is no Chromium here")]
SIT, UP = "STEER FROM THIS PAGE", "GIVE UP STEERING"
STOP_S = 0.15


@pytest.fixture
def browser(running, tmp_path) -> Iterator[Browser]:
    browser = Browser(tmp_path)
    try:
        browser.open(f"http://127.0.0.1:{running.port}/")
        browser.until(lambda: SIT in browser.text)
        yield browser
    finally:
        browser.close()
        running.stack.mode = GateState.MOVING


def test_the_page_shows_the_stack_and_asks_no_other_host(running, browser) -> None:
    browser.until(
        lambda: all(words in browser.text for words in ("MOVING", "usb_insertion, running", "of 950 allowed"))
    )
    assert browser.tell("document.querySelectorAll('canvas').length") > 0
    own = (f"http://127.0.0.1:{running.port}/", f"blob:http://127.0.0.1:{running.port}/", "data:")
    assert [url for url in browser.asked_for if not url.startswith(own)] == []
    assert {url.rstrip("/") for url in browser.sockets} == {f"ws://127.0.0.1:{running.port}"}
    assert not browser.complaints


@pytest.mark.timing
@pytest.mark.parametrize("how", ["button", "space bar"])
def test_stop_reaches_the_gate(running, browser, how) -> None:
    browser.until(lambda: browser.place("STOP") is not None)
    place, took_s = browser.place("STOP"), []
    for _ in range(3):
        before = len(running.stack.stops)
        pressed_s = time.monotonic()
        if how == "button":
            browser.click_at(*place)
        else:
            browser.key(" ", 32, " ")
        running.until(lambda before=before: len(running.stack.stops) > before)
        took_s.append(running.stack.stops[-1][0] - pressed_s)
        time.sleep(0.5)
    assert min(took_s) < STOP_S, took_s
    browser.until(lambda: "STOPPED" in browser.text)


def test_a_person_takes_the_seat_and_leads_a_session(running, browser) -> None:
    running.stack.lead(SessionState.READY, "close the clutch and press START")
    browser.focus("your name")
    browser.write("Anna")
    time.sleep(0.5)
    browser.click(SIT)
    browser.until(lambda: UP in browser.text and "close the clutch" in browser.text)
    running.stack.events.clear()
    browser.click("START")
    running.until(lambda: [(e.device, e.kind) for e in running.stack.events] == [("monitor", TeleopEvent.START)])
    browser.until(lambda: "START by Anna" in browser.text)


def test_the_space_bar_in_a_field_writes_and_does_not_stop(running, browser) -> None:
    before = len(running.stack.stops)
    browser.focus("your name")
    browser.key(" ", 32, " ")
    time.sleep(1.0)
    assert len(running.stack.stops) == before


def test_a_page_that_is_reloaded_many_times_is_shown_each_time(running, browser) -> None:
    for _ in range(5):
        browser.open(f"http://127.0.0.1:{running.port}/")
        browser.until(lambda: SIT in browser.text and "MOVING" in browser.text)


def test_a_browser_that_cannot_draw_in_three_dimensions_is_told_so(running, tmp_path) -> None:
    blind = Browser(tmp_path, webgl=False)
    try:
        blind.open(f"http://127.0.0.1:{running.port}/")
        blind.until(lambda: "WebGL is unavailable" in blind.text)
        assert running.process.poll() is None
    finally:
        blind.close()
