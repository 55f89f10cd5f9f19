"""A vision-language model behind an OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, Ollama.

Image and question go out, text comes back and is read as `answers` says. The key is read from the environment and is in
no message, log or report. Nothing that the server sends is trusted: its time, its size and its form are bounded.
"""

import base64
import logging
import os
import time
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_vlm_reach.pointing.answers import Reader, choose
from vital_vlm_reach.pointing.http_exchange import Endpoint, Exchange, NoReply, Reply
from vital_vlm_reach.pointing.interface import Pointing
from vital_vlm_reach.pointing.questions import Dialect, checked_sentence, dialect

KEY = "VITAL_POINTING_KEY"
MOST_SIDE_PX, LEAST_SIDE_PX = 1280, 32
# A PNG larger than this is sent as JPEG.
MOST_PNG_BYTES = 2_000_000
JPEG_QUALITY = 95
MOST_ANSWER_TOKENS = 256
# A server that fails at once is asked a second time after this, within the same time-out.
RETRY_AFTER_S = 0.3
_TRY_AGAIN = (429, 500, 502, 503, 504)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerSettings:
    """Where the model is served and how it is asked.

    model: the name under which it is served; auto where the server serves one alone. dialect: one of
    `questions.DIALECTS`; auto goes by the model's name. timeout_s: for a whole question, its second try included.
    """

    endpoint: str
    model: str = "auto"
    dialect: str = "auto"
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        Endpoint.parse(self.endpoint)
        if self.dialect != "auto":
            dialect(self.dialect, "")
        if not 0.0 < self.timeout_s <= 120.0:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"time-out of {self.timeout_s:g} s, expected more than 0 to 120")


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class _Server:
    """The endpoint and the key: asks, tries once more, and tells what went wrong without the key in it."""

    def __init__(self, endpoint: Endpoint, key: str, timeout_s: float) -> None:
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"{KEY} holds characters that no key has: set it anew")
        self.endpoint, self._key, self._timeout_s = endpoint, key, timeout_s
        if key and endpoint.scheme == "http" and not endpoint.is_loopback:
            _log.warning("the key goes to %s unencrypted: serve https", endpoint)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """The reply to a request that the server accepted. Raises VitalError: ENDPOINT_FAULT, TIMEOUT."""
        headers = {"Content-Type": "application/json"} if body else {}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        deadline = time.monotonic() + self._timeout_s
        reply = self._tried(Exchange(self.endpoint, method, path, body, headers), deadline, again=True)
        if reply is None:
            time.sleep(max(0.0, min(RETRY_AFTER_S, deadline - time.monotonic())))
            reply = self._tried(Exchange(self.endpoint, method, path, body, headers), deadline, again=False)
        assert reply is not None
        return reply

    def _tried(self, exchange: Exchange, deadline: float, *, again: bool) -> Reply | None:
        """The reply, or None where a second try is worth it."""
        try:
            reply = exchange.run(max(deadline - time.monotonic(), 0.01))
        except NoReply as fault:
            if fault.late:
                raise VitalError(
                    ErrorCode.TIMEOUT,
                    f"{self.endpoint}: no whole answer within {self._timeout_s:.3g} s: is another model loading, or "
                    "the machine too slow for this one?",
                ) from fault
            if again:
                return None
            raise self.fault(f"{fault}: start the model server there, or name another endpoint") from fault
        if reply.status in _TRY_AGAIN and again:
            return None
        self._check(reply)
        return reply

    def _check(self, reply: Reply) -> None:
        if reply.status == 200:
            return
        remedy = {
            401: f"set {KEY}",
            403: f"set {KEY} to a key that may do this",
            404: "is the endpoint's path right (it mostly ends in /v1), and the model served under this name?",
        }.get(reply.status, "see the server's log")
        if 300 <= reply.status < 400:
            remedy = "it points to another address: name that one as the endpoint"
        raise self.fault(f"status {reply.status}{self._explanation(reply)}: {remedy}")

    def _explanation(self, reply: Reply) -> str:
        if reply.content_type != "application/json":
            return f" ({shortened(reply.content_type, 40)})"
        text = reply.body.decode("utf-8", "replace").replace("\n", " ")
        return f" ({self.without_key(shortened(text, 200))})"

    def parsed(self, reply: Reply, kind: type) -> Any:
        """The reply's content in its form. Raises VitalError(ENDPOINT_FAULT)."""
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise self.fault(
                f"it answers {shortened(reply.content_type, 40)} of another form ({shortened(error, 100)}): is this an "
                "OpenAI-compatible endpoint, and its path right (it mostly ends in /v1)?"
            ) from error

    def fault(self, why: str) -> VitalError:
        """What the endpoint did wrong."""
        return VitalError(ErrorCode.ENDPOINT_FAULT, self.without_key(f"the pointing endpoint {self.endpoint}: {why}"))

    def without_key(self, text: str) -> str:
        """A text that came from outside, as it may be shown."""
        shown = "".join(c if c.isprintable() else " " for c in text)
        return shown.replace(self._key, "(key)") if self._key else shown


class ServerPointing:
    """Points at what a sentence names, by the model that an endpoint serves; see `PointingModel`."""

    def __init__(self, server: _Server, model: str, asked: Dialect) -> None:
        self._server, self.model, self._dialect = server, model, asked

    @classmethod
    def start(cls, settings: ServerSettings, key: str | None = None) -> "ServerPointing":
        """Find the model. key: instead of the environment's.

        Raises VitalError: ENDPOINT_FAULT, TIMEOUT, BAD_PARAMETER.
        """
        key = os.environ.get(KEY, "") if key is None else key
        server = _Server(Endpoint.parse(settings.endpoint), key.strip(), settings.timeout_s)
        model = _served(server, settings.model)
        _log.info("pointing with %s at %s", model, server.endpoint)
        return cls(server, model, dialect(settings.dialect, model))

    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """As in `PointingModel.point`.

        Raises VitalError: ENDPOINT_FAULT, TIMEOUT, BAD_ANSWER, AMBIGUOUS, BAD_PARAMETER, BAD_OBSERVATION.
        """
        sentence = checked_sentence(prompt)
        image_px = _image_px(rgb)
        seen_px = sent_size(image_px, self._dialect.pixel_multiple)
        answer = self._ask(self._dialect.ask(sentence), encoded(rgb, seen_px))
        try:
            candidates = Reader(image_px, self._dialect.units, seen_px).read(answer)
            return choose(candidates, image_px)
        except VitalError as refusal:
            if refusal.code is ErrorCode.NOT_IN_VIEW:
                return Pointing(None, 0.0, self._server.without_key(refusal.message))
            raise VitalError(refusal.code, self._server.without_key(refusal.message)) from refusal

    def _ask(self, question: str, image_url: str) -> str:
        content = [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": question}]
        request = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0.0,
            "max_tokens": MOST_ANSWER_TOKENS,
            "stream": False,
        }
        reply = self._server.ask("POST", "/chat/completions", msgspec.json.encode(request))
        completion = self._server.parsed(reply, _Completion)
        if not completion.choices or completion.choices[0].message.content is None:
            raise VitalError(ErrorCode.BAD_ANSWER, f"the model {shortened(self.model, 60)} answers nothing: ask again")
        choice = completion.choices[0]
        if choice.finish_reason == "length":
            raise VitalError(
                ErrorCode.BAD_ANSWER,
                f"the answer is cut off after {MOST_ANSWER_TOKENS} tokens: serve a model that points without reasoning",
            )
        return choice.message.content


def _served(server: _Server, wanted: str) -> str:
    """The name of the model to ask, checked against what is served."""
    names = [shortened(model.id, 120) for model in server.parsed(server.ask("GET", "/models"), _Models).data]
    if wanted in names or (wanted == "auto" and len(names) == 1):
        return names[0] if wanted == "auto" else wanted
    served = server.without_key(", ".join(names[:8])) or "none"
    what = "serves no single model" if wanted == "auto" else f"does not serve '{shortened(wanted, 80)}'"
    raise VitalError(
        ErrorCode.BAD_PARAMETER,
        f"the endpoint {server.endpoint} {what} but {served}: set pointing_model to one of them",
    )


def _image_px(rgb: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height. Raises VitalError(BAD_OBSERVATION) for what is no colour image."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or min(rgb.shape[:2]) < LEAST_SIDE_PX:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"an image of shape {rgb.shape} {rgb.dtype}, expected (height, width, 3) uint8, {LEAST_SIDE_PX} px or more",
        )
    return rgb.shape[1], rgb.shape[0]


def sent_size(image_px: tuple[int, int], multiple: int = 1) -> tuple[int, int]:
    """Width and height of the image as it is sent: bounded, the sides whole multiples."""
    scale = min(1.0, MOST_SIDE_PX / max(image_px))
    width, height = (max(multiple, round(side * scale / multiple) * multiple) for side in image_px)
    return width, height


def encoded(rgb: NDArray[np.uint8], size_px: tuple[int, int]) -> str:
    """The image in that size as a data URL, PNG or JPEG."""
    image = rgb if (rgb.shape[1], rgb.shape[0]) == size_px else cv2.resize(rgb, size_px, interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(image[..., ::-1])
    kind, data = "png", cv2.imencode(".png", bgr)[1]
    if data.size > MOST_PNG_BYTES:
        kind, data = "jpeg", cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
