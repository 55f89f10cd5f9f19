"""Where messages come into a node: the one way to subscribe and to serve, so that no message can end it.

A message is first asked what holds for every message (`message_check.sound`), then ``read`` makes of it what the node
works with. Both only look: whatever they raise refuses the message, which is counted by its topic, shown in the node's
`/diagnostics`, said in one line every few seconds, and otherwise as if it had not come. A VitalError of what is done
with it (``take``, ``answer``) is a refusal too: it is raised before anything is changed. Any other error there may have
left half a change behind, so it is not held up: it ends the node, and with it the launch, with the arm at rest.
"""

import inspect
import traceback
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.service import Service
from rclpy.subscription import Subscription

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError, shortened
from vital_ros.message_check import refusal, sound

SAID_EVERY_S = 5.0
SETTERS = (SetParameters, SetParametersAtomically)
RECENT_S = 5.0


class Refusals:
    """What a node has refused, by topic or service."""

    def __init__(self, node: Node) -> None:
        self._logger = node.get_logger()
        self._counts: dict[str, int] = {}
        self._said_s: dict[str, float] = {}
        self._last: tuple[float, str] | None = None

    def note(self, name: str, error: Exception) -> None:
        """Count a refusal; the first one and then one every few seconds is said."""
        now_s = steady_s()
        self._counts[name] = self._counts.get(name, 0) + 1
        text = f"refused on {name}: {shortened(error)}"
        self._last = now_s, text
        if now_s - self._said_s.get(name, -SAID_EVERY_S) >= SAID_EVERY_S:
            self._said_s[name] = now_s
            unforeseen = "" if isinstance(error, VitalError) else "\n" + "".join(traceback.format_exception(error))
            self._logger.warning(f"{text} ({self._counts[name]} so far){unforeseen}")

    @property
    def counts(self) -> Mapping[str, int]:
        """Refusals by topic or service; only those that had any."""
        return self._counts

    @property
    def recent(self) -> str:
        """The last refusal's sentence, while it is a few seconds old at most."""
        return self._last[1] if self._last is not None and steady_s() - self._last[0] < RECENT_S else ""


_REFUSALS: WeakKeyDictionary[Node, Refusals] = WeakKeyDictionary()


def refusals_of(node: Node) -> Refusals:
    """The one record of a node."""
    return _REFUSALS.setdefault(node, Refusals(node))


def _read(message: Any, read: Callable[[Any], Any] | None) -> Any:
    sound(message)
    return message if read is None else read(message)


def subscribe(
    node: Node,
    kind: type,
    topic: str,
    take: Callable[[Any], None],
    qos: QoSProfile | int,
    *,
    read: Callable[[Any], Any] | None = None,
    raw: bool = False,
    group: CallbackGroup | None = None,
) -> Subscription:
    """Hear ``topic``: ``take`` gets what ``read`` makes of each message (without: the message), None excepted, which
    says that the message is for others. raw: the bytes that came, of which nothing is known. group: when it may be
    heard (None: whenever it comes)."""
    come = receiver(node, topic, take, read=read, raw=raw)
    return node.create_subscription(kind, topic, come, qos, raw=raw, callback_group=group)


def receiver(
    node: Node, topic: str, take: Callable[[Any], None], *, read: Callable[[Any], Any] | None = None, raw: bool = False
) -> Callable[[Any], None]:
    """What a message of ``topic`` goes through, wherever it comes from; as in `subscribe`."""
    refusals = refusals_of(node)

    def come(message: Any) -> None:
        try:
            value = (message if read is None else read(message)) if raw else _read(message, read)
        except Exception as error:  # reading only looks, so nothing is half done
            refusals.note(topic, error)
            return
        if value is None:
            return
        try:
            take(value)
        except VitalError as error:
            refusals.note(topic, error)

    return come


def refuse(response: Any, error: VitalError) -> Any:
    """A service's answer that says no, with the error's code and sentence, in the fields that it has."""
    answer = type(response)()
    code = ErrorCode.BAD_PARAMETER if error.code is ErrorCode.BAD_MESSAGE else error.code
    for field, value in (("error_code", int(code)), ("message", error.message), ("verdict", error.message)):
        if hasattr(answer, field):
            setattr(answer, field, value)
    return answer


def serve(
    node: Node,
    kind: type,
    name: str,
    answer: Callable[[Any, Any], Any],
    *,
    read: Callable[[Any], Any] | None = None,
    whatever: bool = False,
    **options: Any,
) -> Service:
    """Offer a service: ``answer(request, response)`` gives the response; it may be a coroutine function.

    With ``read``, ``answer`` gets what that makes of the request in place of it. A refusal is answered, with its code.
    whatever: nothing is asked of the request, because not to answer it would be the greater danger.
    """
    refusals = refusals_of(node)
    if whatever:
        return node.create_service(kind, name, answer, **options)

    def refused(error: Exception, response: Any) -> Any:
        refusals.note(name, error)
        known = error if isinstance(error, VitalError) else VitalError(ErrorCode.BAD_PARAMETER, shortened(repr(error)))
        return refuse(response, known)

    async def answer_later(request: Any, response: Any) -> Any:
        try:
            value = _read(request, read)
        except Exception as error:  # reading only looks
            return refused(error, response)
        try:
            return await answer(value, response)
        except VitalError as error:
            return refused(error, response)

    def answer_at_once(request: Any, response: Any) -> Any:
        try:
            value = _read(request, read)
        except Exception as error:  # reading only looks
            return refused(error, response)
        try:
            return answer(value, response)
        except VitalError as error:
            return refused(error, response)

    later = inspect.iscoroutinefunction(answer)
    return node.create_service(kind, name, answer_later if later else answer_at_once, **options)


def guard_parameter_services(node: Node) -> None:
    """rclpy's own services to read and set parameters raise on a value of no known type: here that is refused."""
    for service in node.services:
        if service.srv_type in (DescribeParameters, GetParameters, GetParameterTypes, ListParameters, *SETTERS):
            service.callback = _guarded(service.srv_name, service.callback, refusals_of(node))


def _guarded(name: str, answer: Callable[[Any, Any], Any], refusals: Refusals) -> Callable[[Any, Any], Any]:
    def answer_or_refuse(request: Any, response: Any) -> Any:
        try:
            sound(request)
            return answer(request, response)
        except Exception as error:  # each parameter is set whole or not at all
            refusals.note(name, refusal(shortened(error)))
            return _nothing_set(request, type(response)(), shortened(error))

    return answer_or_refuse


def _nothing_set(request: Any, response: Any, why: str) -> Any:
    result = SetParametersResult(successful=False, reason=why)
    if isinstance(response, SetParameters.Response):
        response.results = [result] * len(request.parameters)
    elif isinstance(response, SetParametersAtomically.Response):
        response.result = result
    return response
