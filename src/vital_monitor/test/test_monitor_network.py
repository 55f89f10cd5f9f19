"""The page over a network: nothing without a PIN, nothing in plain, and everything else as on the loopback."""

import http.client
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_client import PageClient
from stack_for_pages import COMMAND, Running

from vital_core.access.passes import LASTS_S, MOST_PASSES, Passes
from vital_core.errors import ErrorCode, VitalError
from vital_monitor.network.http_head import head_of
from vital_monitor.network.network_door import COOKIE, NetworkDoor

PIN, HOST = "271828", "127.0.0.2"  # the door; the page's own server stays on 127.0.0.1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += [
        "-keyout",
        key,
        "-out",
        cert,
        "-days",
        "2",
        "-subj",
        "/CN=robot",
        "-addext",
        f"subjectAltName=IP:{HOST}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


class Inner:
    """In the place of the page's own server: answers with what it was asked."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]

    def take(self) -> socket.socket:
        self._server.settimeout(10.0)
        return self._server.accept()[0]

    def close(self) -> None:
        self._server.close()


class Outside:
    """A door before an `Inner`, and clients that trust its certificate alone."""

    def __init__(self, folder: Path, certificate: tuple[str, str]) -> None:
        self.inner, self.told = Inner(), list[str]()
        self.door = NetworkDoor(HOST, 0, *certificate, PIN, self.inner.port, self.told.append)
        self.tls = ssl.create_default_context(cafile=certificate[0])
        self.own = f"https://{HOST}:{self.door.port}"

    def ask(self, method: str = "GET", path: str = "/", *, source: str = "127.0.0.1", body: str = "", **headers: str):
        client = http.client.HTTPSConnection(
            HOST, self.door.port, context=self.tls, source_address=(source, 0), timeout=20
        )
        client.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer, text

    def give(self, key: str, source: str = "127.0.0.1"):
        return self.ask("POST", "/vital_pin", body=key, source=source)

    def cookie(self, key: str = PIN) -> str:
        answer, _ = self.give(key)
        assert answer.status == 200
        return answer.headers["Set-Cookie"].partition(";")[0]

    def raw(self, data: bytes) -> socket.socket:
        client = self.tls.wrap_socket(socket.create_connection((HOST, self.door.port)), server_hostname=HOST)
        client.settimeout(20.0)
        client.sendall(data)
        return client

    def close(self) -> None:
        self.door.close()
        self.inner.close()


@pytest.fixture
def outside(tmp_path, certificate, monkeypatch) -> Iterator[Outside]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    outside = Outside(tmp_path, certificate)
    yield outside
    outside.close()


def test_without_a_pass_there_is_only_the_question_for_the_pin(outside) -> None:
    answer, text = outside.ask()
    assert answer.status == 401 and "one-time token" in text and "http" not in text.partition("<body>")[2]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for path in ("/assets/x.js", "//", "/?x"):
        answer, text = outside.ask(path=path)
        assert answer.status in (400, 401) and text.startswith("[ACCESS_REFUSED 58] ")


def test_the_pin_gives_a_pass_that_only_this_browser_shows_and_no_script_reads(outside) -> None:
    answer, _ = outside.give(PIN)
    said = answer.headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(said.split("; ")) and said.startswith("__Host-")
    assert PIN not in said


def test_a_request_with_a_pass_reaches_the_page_as_its_own_and_without_the_pass(outside) -> None:
    client = outside.raw(
        f"GET /x HTTP/1.1\r\nHost: {HOST}:{outside.door.port}\r\nCookie: a=b; {outside.cookie()}\r\n\r\n".encode()
    )
    behind = outside.inner.take()
    got = behind.recv(4096).decode()
    assert got.startswith("GET /x HTTP/1.1\r\n") and f"Host: 127.0.0.1:{outside.inner.port}\r\n" in got
    assert COOKIE not in got and "Connection: close" in got
    # What would follow in the same connection goes nowhere.
    client.sendall(b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n")
    behind.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe page")
    behind.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := client.recv(4096):
        answer += piece
    assert answer.endswith(b"the page")
    behind.setblocking(False)
    with pytest.raises(BlockingIOError):
        assert behind.recv(1) == b"", "the second request came through"
        raise BlockingIOError


def test_wrong_pins_are_refused_with_code_and_sentence_and_ever_more_slowly(outside) -> None:
    answer, text = outside.give("000000", "127.0.0.9")
    assert answer.status == 403 and text == "[ACCESS_REFUSED 58] that is not the PIN or token"
    texts = [outside.give(f"{i:06d}", "127.0.0.9")[1] for i in range(10)]
    assert any("too many wrong keys: wait" in text for text in texts)
    assert outside.give(PIN, "127.0.0.9")[0].status == 403, "not even the right one, for a while"
    assert outside.give(PIN, "127.0.0.8")[0].status == 200, "another address is not kept out"
    assert "127.0.0.9 was not let in" in outside.told[0] and PIN not in "".join(outside.told)


def test_the_token_in_the_owners_file_opens_once(outside) -> None:
    address, _, token = outside.door.address_file.read_text().strip().partition("#")
    assert address == f"{outside.own}/vital_pin" and outside.cookie(token)
    answer, text = outside.ask(path="/vital_pin", Cookie=outside.cookie())
    assert answer.status == 200 and "one-time token" in text, "with a pass as well: the page itself takes no fragment"
    assert outside.give(token)[0].status == 403
    outside.door.close()
    assert not outside.door.address_file.exists()


def test_a_page_of_another_origin_gets_nowhere_even_with_the_pass(outside) -> None:
    cookie = outside.cookie()
    for origin in ("https://evil.example", "null", f"http://{HOST}:{outside.door.port}"):
        answer, text = outside.ask(Cookie=cookie, Origin=origin)
        assert answer.status == 403 and "own address alone" in text


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /\nX: y HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nCookie: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST /vital_pin HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /vital_pin HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
        b"POST /vital_pin HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(outside, data) -> None:
    client = outside.raw(data)
    assert client.recv(64).startswith(b"HTTP/1.1 400 ")
    client.close()


def test_plain_http_is_not_answered_and_the_silent_keep_nobody_out(outside) -> None:
    silent = [socket.create_connection((HOST, outside.door.port)) for _ in range(40)]
    silent[-1].sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert b"HTTP" not in silent[-1].recv(64)
    assert outside.ask(source="127.0.0.7")[0].status == 401
    assert len(outside.door._room) <= 16
    for client in silent:
        client.close()


def test_a_pass_is_good_for_a_day_of_work_and_only_the_newest_few_are() -> None:
    now_s = [0.0]
    passes = Passes(lambda: now_s[0])
    first = passes.new()
    assert passes.good(first) and not passes.good("") and not passes.good(first[:-1])
    now_s[0] = LASTS_S + 1.0
    assert not passes.good(first)
    second = passes.new()
    others = [passes.new() for _ in range(MOST_PASSES)]
    assert not passes.good(second) and all(map(passes.good, others))


@given(st.binary(max_size=200))
def test_any_head_is_read_or_refused_and_says_nothing_of_the_browser_to_the_page(data) -> None:
    try:
        head = head_of(b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n")
    except ValueError:
        return
    said = head.said_to("127.0.0.1:1")
    assert said.count(b"\r\n\r\n") == 1 and said.lower().count(b"\r\nhost:") == 1 and b"\ncookie" not in said.lower()
    assert head_of(said).headers.keys() >= {"host", "origin", "connection"}


@pytest.mark.parametrize("missing", ["cert", "key", "host"])
def test_what_cannot_be_served_is_said(tmp_path, certificate, missing, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    cert, key = certificate
    given = {"cert": (HOST, "/no.pem", key), "key": (HOST, cert, cert), "host": ("203.0.113.1", cert, key)}[missing]
    with pytest.raises(VitalError, match="cannot be served") as refused:
        NetworkDoor(given[0], 0, given[1], given[2], PIN, 1, print)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


@pytest.fixture(scope="module")
def beyond(tmp_path_factory, certificate) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("beyond")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(20 + (os.getpid() + 20) % 80))
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        cert, key = certificate
        here = Running(
            folder,
            more=["-p", f"host:={HOST}", "-p", f"certificate:={cert}", "-p", f"key:={key}", "-p", f"pin:='{PIN}'"],
        )
        try:
            yield here
        finally:
            here.close()


def test_the_whole_page_is_seen_and_stops_through_the_door(beyond, certificate) -> None:
    tls = ssl.create_default_context(cafile=certificate[0])
    own = beyond.log.read_text().split("with PIN or token: ")[1].split()[0].rstrip("/")
    port = int(own.rsplit(":", 1)[1])
    client = http.client.HTTPSConnection(HOST, port, context=tls)
    client.request("POST", "/vital_pin", PIN)
    cookie = client.getresponse().headers["Set-Cookie"].partition(";")[0]
    client.close()
    client.request("GET", "/", headers={"Cookie": cookie})
    assert b"<title>" in client.getresponse().read()
    page = PageClient(port, host=HOST, tls=tls, cookie=cookie)
    try:
        page.until(lambda: "MOVING" in page.text and page.offers("STOP"))
        page.press("STOP")
        beyond.until(lambda: bool(beyond.stack.stops))
    finally:
        page.close()
    with pytest.raises(Exception, match="401"):
        PageClient(port, host=HOST, tls=tls)


def test_nothing_plain_is_bound_beyond_the_loopback(beyond) -> None:
    owned = {os.readlink(link) for link in Path(f"/proc/{beyond.process.pid}/fd").iterdir() if link.is_symlink()}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    bound = {each[1].partition(":")[0] for each in listening if each[3] == "0A" and f"socket:[{each[9]}]" in owned}
    assert bound == {"0100007F", "0200007F"}, "the page's own on 127.0.0.1, the door's on 127.0.0.2"


@pytest.mark.parametrize(("pin", "told"), [("short", "at least 6 characters"), ("271828", "write it in quotes")])
def test_a_pin_that_is_too_short_or_a_number_ends_it_with_one_line(certificate, pin, told, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    cert, key = certificate
    more = ["-p", "host:=0.0.0.0", "-p", f"certificate:={cert}", "-p", f"key:={key}", "-p", f"pin:={pin}"]
    done = subprocess.run([*COMMAND, *more], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "[BAD_PARAMETER 11]" in done.stderr and told in done.stderr
    assert "Traceback" not in done.stderr and pin not in done.stderr
