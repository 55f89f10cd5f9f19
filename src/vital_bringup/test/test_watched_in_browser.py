"""What a person does with the page alone, in Chromium, against the real launch files: record, and watch."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, program
from ros_domain import own_domain
from waiting import wait_until

from vital_data.dataset.aligned_episode import AlignmentConfig
from vital_data.dataset.dataset import load_demonstrations
from vital_data.dataset.episode_source import episode_sources
from vital_data.files.session import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timing,
    pytest.mark.skipif(program() is None, reason="there is no Chromium here"),
]
ADDRESS = re.compile(r"monitor: (http://127\.0\.0\.1:\d+)")
LAUNCH_S, ATTEMPT_S, ATTEMPTS = 240.0, 30.0, 3
PHASES, RESULTS = {"LOCALIZE", "REACH", "POLICY"}, {"SUCCESS", "FAILED"}
WATCHED = PHASES | {"touch", "policy", "action"}
PACE = ("STREAM_SLOW", "CAMERA_RATE")


class Launch:
    """A launch file with the monitor, as a user starts it."""

    def __init__(self, folder: Path, file: str, *arguments: str) -> None:
        self._log = folder / "launch.log"
        command = ["ros2", "launch", "vital_bringup", file, *arguments, "monitor:=true"]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "PYTHONUNBUFFERED": "1"}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    @property
    def said(self) -> str:
        """All that stood on the terminal."""
        return self._log.read_text()

    def url(self) -> str:
        """Address of the page."""
        wait_until(lambda: ADDRESS.search(self.said) or self._process.poll() is not None, "the page's address")
        found = ADDRESS.search(self.said)
        assert found is not None, self.said[-3000:]
        return found[1]

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def code(self) -> int:
        """How it ended, once it has."""
        return self._process.wait(LAUNCH_S)

    def end(self) -> None:
        """Whatever is left of it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60.0)


@contextmanager
def launched(folder: Path, file: str, *arguments: str) -> Iterator[tuple[Launch, Browser]]:
    """A launch and a browser that shows its page."""
    launch = Launch(folder, file, *arguments)
    try:
        browser = Browser(folder, polite=True)
        try:
            browser.open(launch.url())
            yield launch, browser
        finally:
            browser.close()
    finally:
        launch.end()


def seated(browser: Browser) -> None:
    browser.until(lambda: "STEER FROM THIS PAGE" in browser.text)
    browser.focus("your name")
    browser.write("Anna")
    time.sleep(0.5)
    browser.click("STEER FROM THIS PAGE")
    browser.until(lambda: "GIVE UP STEERING" in browser.text)


def demonstrate(launch: Launch, browser: Browser) -> bool:
    """One attempt by keys alone; False where the session took it for stopped, as on a machine that stood still."""
    browser.until(lambda: "READY" in browser.text or launch.ended, LAUNCH_S)
    assert not launch.ended, launch.said[-3000:]
    try:
        browser.key("c", 67, "c")
        browser.until(lambda: "the arm follows the hand" in browser.text, ATTEMPT_S)
        browser.key("b", 66, "b")
        browser.until(lambda: "RECORDING" in browser.text, ATTEMPT_S)
        for key, seconds in (("u", 2.0), ("j", 1.0), ("l", 1.0), ("o", 1.0), ("6", 0.5)):
            browser.hold(key, seconds)
        browser.key("y", 89, "y")
        browser.until(lambda: "SUCCESS by Anna" in browser.text, ATTEMPT_S)
    except AssertionError:
        browser.key("x", 88, "x")
        return False
    return True


def test_a_demonstration_is_recorded_by_keyboard_with_nothing_but_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    arguments = (f"session:={folder}", "device:=remote", "operator:=Anna", "episodes:=1", "seed:=4")
    with launched(tmp_path, "record.launch.py", *arguments) as (launch, browser):
        seated(browser)
        browser.until(lambda: "the keys of the page" in browser.text, LAUNCH_S)
        browser.click("MOVE THE ARM BY KEYS")
        browser.until(lambda: "CLUTCH OPEN" in browser.text)
        assert any(demonstrate(launch, browser) for _ in range(ATTEMPTS)), launch.said[-3000:]
        browser.picture(tmp_path / "keys.png")
        browser.key("f", 70, "f")
        assert launch.code() == 0, launch.said[-3000:]
        assert not browser.complaints
    entry = Session.open(folder).episodes()[-1]
    assert entry.outcome == "success"
    # Images are late on a machine that a browser draws on in software, too.
    assert not [fault for fault in entry.faults if not fault.startswith(PACE)]
    assert entry.duration_s > 5.0 and b"Anna" in entry.path.read_bytes()
    *_, source = episode_sources([folder], "usb_insertion", True)[0]
    streams = source.read("usb_insertion", AlignmentConfig().topics())
    assert streams["/wrist_camera/image_raw"].values["image"].shape[1:] == (128, 128, 3)
    went_m = np.ptp(streams["/vital/tcp_pose"].values["position_m"], axis=0)
    assert went_m[1] > 0.01 and went_m[2] > 0.01, f"the keys moved the TCP by {1000 * went_m} mm at most"
    if entry.usable:
        assert len(load_demonstrations([folder], "usb_insertion", 10)) > 20


def wrist_image(browser: Browser) -> str:
    """Address of the picture of the cameras that is shown, which is another one for each image."""
    return browser.tell("[...document.images].map(i => i.src).filter(s => s.startsWith('blob:')).join()") or ""


def test_a_whole_deployment_is_watched_and_nothing_is_asked_of_another_host(tmp_path: Path) -> None:
    arguments = ("task:=usb_insertion", "trials:=20", "seed:=1000", "report:=none")
    seen: set[str] = set()
    images: set[str] = set()
    with launched(tmp_path, "deploy.launch.py", *arguments) as (launch, browser):
        url = launch.url()

        def watch() -> bool:
            text = browser.text
            seen.update(word for word in PHASES | RESULTS if word in text)
            seen.update(["touch"] if re.search(r"baseline \d+, largest change \d+ µT of \d+ allowed", text) else [])
            seen.update(["policy"] if "usb_insertion, running" in text else [])
            seen.update(["action"] if re.search(r"[+-](?!0\.0)\d+\.\d mm", text) else [])
            images.add(wrist_image(browser))
            return len(images) > 10 and seen >= WATCHED and bool(seen & RESULTS)

        # On a machine that stands still a trial may end before its policy acts: then the next one is watched.
        browser.until(watch, LAUNCH_S)
        browser.picture(tmp_path / "deployment.png")
        own = (url, f"blob:{url}", "data:")
        assert [asked for asked in browser.asked_for if not asked.startswith(own)] == []
        assert {socket.rstrip("/") for socket in browser.sockets} == {url.replace("http", "ws", 1)}
        assert not browser.complaints
    assert "trial 1/20" in launch.said
