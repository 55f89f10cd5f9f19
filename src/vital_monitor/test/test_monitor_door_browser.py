"""The page over a network in a real browser: certificate, PIN, and the page behind them."""

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, program
from stack_for_pages import Running

WITHOUT = pytest.mark.skipif(program() is None, reason="there is no Chromium here")
pytestmark = [pytest.mark.slow, WITHOUT]
PIN, WRONG, HOST = "271828", "314159", "127.0.0.2"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """Made as the package's README says."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=robot"]
    subprocess.run([*command, "-addext", f"subjectAltName=IP:{HOST}"], check=True, capture_output=True)
    return cert, key


def public_key_of(cert: str) -> str:
    """SHA-256 of the certificate's key, as Chromium is told which one to accept."""
    pem = subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=pem.stdout, capture_output=True)
    return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


@pytest.fixture(scope="module")
def beyond(tmp_path_factory, certificate) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("beyond")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(20 + (os.getpid() + 40) % 80))
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        served = {"host": HOST, "certificate": certificate[0], "key": certificate[1], "pin": f"'{PIN}'"}
        more = [word for name, value in served.items() for word in ("-p", f"{name}:={value}")]
        here = Running(folder, more=more)
        try:
            yield here
        finally:
            here.close()


def address(here: Running) -> str:
    return here.log.read_text().split("with PIN or token: ")[1].split()[0]


def give(browser: Browser, key: str) -> None:
    browser.tell("document.getElementById('pin').focus()")
    browser.write(key)
    browser.key("Enter", 13, "\r")


def test_a_browser_that_does_not_know_the_certificate_shows_nothing_of_the_page(beyond, tmp_path: Path) -> None:
    browser = Browser(tmp_path)
    try:
        browser.open(address(beyond))
        browser.until(lambda: "ERR_CERT_AUTHORITY_INVALID" in browser.text)
        assert "PIN" not in browser.text and "STOP" not in browser.text
    finally:
        browser.close()


def test_a_wrong_pin_is_refused_in_a_sentence_and_the_right_one_gets_the_whole_page(
    beyond, certificate, tmp_path: Path
) -> None:
    browser = Browser(tmp_path, accepts=public_key_of(certificate[0]))
    own = address(beyond)
    try:
        browser.open(own)
        browser.until(lambda: "one-time token of the robot's PC" in browser.text)
        assert "STOP" not in browser.text
        give(browser, WRONG)
        browser.until(lambda: "ACCESS_REFUSED" in browser.text)
        browser.picture(tmp_path / "refused.png")
        assert WRONG not in browser.text and WRONG not in beyond.log.read_text()

        def let_in() -> bool:
            # The wrong one made the next one wait, and the page says for how long.
            if browser.tell("document.getElementById('pin') !== null") and not browser.tell(
                "document.getElementById('pin').value"
            ):
                give(browser, PIN)
            return "STEER FROM THIS PAGE" in browser.text

        browser.until(let_in)
        browser.until(lambda: "MOVING" in browser.text and browser.place("STOP") is not None)
        browser.picture(tmp_path / "page.png")
        assert browser.tell("document.cookie") == "", "a script could read the pass"
        before = len(beyond.stack.stops)
        browser.click("STOP")
        beyond.until(lambda: len(beyond.stack.stops) > before)
        browser.until(lambda: "STOPPED" in browser.text)
        assert {url for url in browser.sockets if not url.startswith(own.replace("https", "wss", 1))} == set()
        assert browser.sockets and all(url.startswith((own, f"blob:{own}", "data:")) for url in browser.asked_for)
        # A refused key is an answer that the browser notes as an error of the network; nothing else is.
        assert [line for line in browser.complaints if "403" not in line and "401" not in line] == []
        browser.open(own)
        browser.until(lambda: "STEER FROM THIS PAGE" in browser.text, 60.0)
    finally:
        browser.close()
