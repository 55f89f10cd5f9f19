"""A model server for tests: real HTTP on the loopback, the protocol of OpenAI-compatible servers, and every way to
break it."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


class ModelServer(ThreadingHTTPServer):
    """``answers``: what the next requests get, the last one for ever: a text, or a function of the handler that
    writes the response itself. ``requests``: what came, as (path, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models, self.answers, self.requests, self.over = ["Qwen/Qwen3-VL-8B-Instruct"], [], [], threading.Event()
        self.models_reply = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def questions(self) -> list[dict]:
        return [json.loads(body) for path, _, body in self.requests if path.endswith("/chat/completions")]

    def image(self) -> np.ndarray:
        """The image of the last question, RGB."""
        url = self.questions()[-1]["messages"][0]["content"][0]["image_url"]["url"]
        data = np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]

    def handle_error(self, request, client_address) -> None:
        """A client that goes away is no fault of the test."""


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers), b""))
        if self.server.models_reply is not None:
            self.server.models_reply(self)
        else:
            reply(self, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer(self)
        else:
            reply(self, completion(answer))


def completion(text, finish_reason="stop") -> dict:
    message = {"role": "assistant", "content": text}
    return {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], "usage": {}}


def reply(handler, content, status=200, kind="application/json", **headers) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def html(handler) -> None:
    reply(handler, b"<html><body>Welcome to the router</body></html>", kind="text/html")


def fails(status, content=None, **headers):
    return lambda handler: reply(handler, content or {"error": {"message": "broken"}}, status, **headers)


def of_other_form(content):
    return lambda handler: reply(handler, content)


def huge(handler) -> None:
    reply(handler, b" " * 10_000_000)


def endless(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    while not handler.server.over.is_set():
        handler.wfile.write(b" " * 65_536)


def torn(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')


def hangs_up(handler) -> None:
    handler.connection.close()


def silent(handler) -> None:
    handler.server.over.wait(20)


def drips(part):
    """One byte at a time, of the headers or of the body, for ever and well within any time-out of a single read."""

    def drip(handler) -> None:
        if part == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not handler.server.over.is_set():
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)

    return drip


@contextmanager
def serving() -> Iterator[ModelServer]:
    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
