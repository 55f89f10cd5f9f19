"""No message ends a node: each subscription, service and action of each node gets what its type can hold at worst.

What a node listens to is found, not listed, so that a new topic is fuzzed without anybody thinking of it.
"""

import ast
import contextlib
import copy
import importlib
import inspect
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from fuzzed_nodes import NODES, good
from generated_messages import bytes_of, messages, mutations, spoilt
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rclpy.action import ActionClient, ActionServer, get_action_server_names_and_types_by_node
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message

from vital_core.ros_boundary import guard_parameter_services, refusals_of

SOURCES = Path(__file__).parents[2]
LONGEST_S = 0.1  # of the processor, for one message
EXAMPLES, EXAMPLES_DEEP = 25, 500
# Each takes a second of the simulated robot's, or waits for a camera.
SLOW_SERVICES = ("/vital/reset_scene", "/anyskin/take_baseline", "/vital/localize_target")
SLOW_SHARE = 5
# It stops whatever is said with it.
TAKES_ANYTHING = ("/vital/stop",)
# The first is answered where nothing can be refused; all are the same in every node.
OF_RCLPY = ("/get_type_description", "_parameters", "_parameter_types", "_parameters_atomically")


class Fuzz:
    """A node, spun while its answers are waited for, and what it listens to."""

    def __init__(self, node: Node, executor: Executor, examples: int, *, seeded: bool) -> None:
        self.node, self._executor, self._examples, self._seeded = node, executor, examples, seeded
        self.asker = Node("asker")
        self._shown: set[str] = set()
        self.asker.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        executor.add_node(node)
        executor.add_node(self.asker)

    def close(self) -> None:
        """As `run_node` ends a node."""
        with contextlib.suppress(AttributeError):
            self.node.on_exit()
        for node in (self.node, self.asker):
            self._executor.remove_node(node)
            node.destroy_node()
        self._executor.shutdown(timeout_sec=1.0)

    def throw(self, generated: st.SearchStrategy[Any], catch: Callable[[Any], None], share: int = 1) -> None:
        """Have ``catch`` meet so many of what is ``generated``."""

        @settings(
            max_examples=max(3, self._examples // share),
            deadline=None,
            database=None,
            derandomize=self._seeded,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @given(generated)
        def thrown(message: Any) -> None:
            catch(message)

        thrown()

    def run_timers(self) -> None:
        """What a message left behind is worked with."""
        for timer in list(self.node.timers):
            timer.callback()

    def answer(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """What a callback returns, of a coroutine too."""
        if not inspect.iscoroutinefunction(callback):
            return timed(callback, *arguments)
        task = self._executor.create_task(callback, *arguments)
        self.until(task.done)
        return task.result()

    def until(self, true: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Spin until something is true."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline_s, "no answer"
            self._executor.spin_once(timeout_sec=0.1)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self.node.get_fully_qualified_name():
                self._shown |= {value.key for value in status.values}

    def refusals_are_shown(self) -> bool:
        """Whether the node has said in `/diagnostics` what it refused."""
        return {f"refused {name}" for name in refusals_of(self.node).counts} <= self._shown

    def refused(self, name: str) -> int:
        """Messages that were refused there."""
        return refusals_of(self.node).counts.get(name, 0)


def subscriptions_stand(fuzz: Fuzz) -> None:
    for heard in list(fuzz.node.subscriptions):
        topic, kind = heard.topic_name, heard.msg_type
        if heard.raw:
            fuzz.throw(bytes_of(good(kind, topic)), lambda m, heard=heard: (heard.callback(m), fuzz.run_timers()))
        else:
            generated = messages(kind) | mutations(good(kind, topic))
            fuzz.throw(generated, lambda m, heard=heard: (timed(heard.callback, m), fuzz.run_timers()))
        bad = spoilt(kind)
        if bad is not None:
            refuses_one_and_takes_the_next(fuzz, heard, bad)


def refuses_one_and_takes_the_next(fuzz: Fuzz, heard: Any, bad: Any) -> None:
    topic, whole = heard.topic_name, good(heard.msg_type, heard.topic_name)
    before = fuzz.refused(topic)
    heard.callback(serialize_message(bad)[:6] if heard.raw else bad)
    assert fuzz.refused(topic) == before + 1, f"a bad message on {topic} was not counted"
    heard.callback(serialize_message(whole) if heard.raw else whole)
    fuzz.run_timers()
    assert fuzz.refused(topic) == before + 1, f"a good message on {topic} was refused"


def timed(callback: Callable[..., Any], *arguments: Any) -> Any:
    start_s = time.thread_time()
    answer = callback(*arguments)
    took_s = time.thread_time() - start_s
    assert took_s < LONGEST_S, f"took {took_s:.2f} s of the processor"
    return answer


def services_stand(fuzz: Fuzz) -> None:
    for served in list(fuzz.node.services):
        kind, name = served.srv_type, served.srv_name

        def ask(request: Any, served: Any = served, kind: Any = kind) -> Any:
            answer = fuzz.answer(served.callback, copy.deepcopy(request), kind.Response())
            assert isinstance(answer, kind.Response)
            fuzz.run_timers()
            return answer

        generated = messages(kind.Request) | mutations(good(kind.Request, name))
        fuzz.throw(generated, ask, SLOW_SHARE if name in SLOW_SERVICES or is_of_rclpy(name) else 1)
        bad = spoilt(kind.Request)
        if bad is not None and name not in TAKES_ANYTHING and not name.endswith(OF_RCLPY[0]):
            answer = ask(bad)
            assert not getattr(answer, "success", getattr(answer, "granted", False))
            assert fuzz.refused(name) > 0


def is_of_rclpy(service: str) -> bool:
    return service.endswith(OF_RCLPY)


def actions_of(node: Node) -> list[tuple[str, list[str]]]:
    return get_action_server_names_and_types_by_node(node, node.get_name(), node.get_namespace())


def actions_stand(fuzz: Fuzz) -> None:
    node = fuzz.node
    fuzz.until(lambda: len(actions_of(node)) == sum(isinstance(w, ActionServer) for w in node.waitables))
    for name, types in actions_of(node):
        kind = getattr(importlib.import_module("vital_interfaces.action"), types[0].split("/")[-1])
        client = ActionClient(fuzz.asker, kind, name)
        fuzz.until(client.server_is_ready)

        def ask(goal: Any, client: Any = client) -> bool:
            sent = client.send_goal_async(goal)
            fuzz.until(sent.done)
            handle = sent.result()
            if handle.accepted:
                cancelled = handle.cancel_goal_async()
                fuzz.until(cancelled.done)
            fuzz.run_timers()
            return handle.accepted

        fuzz.throw(messages(kind.Goal) | mutations(good(kind.Goal, name)), ask)
        assert not ask(spoilt(kind.Goal)) and fuzz.refused(name) > 0
        client.destroy()


@pytest.fixture
def ros(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """ROS with the parameters of the node that the test is for, in a domain of this process."""
    name = request.node.callspec.params["name"]
    given_parameters = NODES[name].parameters(tmp_path)
    arguments = [item for key, value in given_parameters.items() for item in ("-p", f"{key}:={value}")]
    rclpy.init(args=["--ros-args", *arguments], domain_id=150 + os.getpid() % 60)
    yield
    rclpy.try_shutdown()


def all_stands(name: str, folder: Path, examples: int, *, seeded: bool) -> None:
    node = NODES[name].make(folder)
    guard_parameter_services(node)
    fuzz = Fuzz(node, SingleThreadedExecutor(), examples, seeded=seeded)
    kept = NODES[name].also(node)
    try:
        subscriptions_stand(fuzz)
        services_stand(fuzz)
        actions_stand(fuzz)
        fuzz.run_timers()
        fuzz.until(fuzz.refusals_are_shown)
    finally:
        for closed in kept:
            with contextlib.suppress(AttributeError):
                closed.close()
        fuzz.close()


@pytest.mark.parametrize("name", NODES)
@pytest.mark.usefixtures("ros")
def test_no_message_ends_the_node(name: str, tmp_path: Path) -> None:
    all_stands(name, tmp_path, EXAMPLES, seeded=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NODES)
@pytest.mark.usefixtures("ros")
def test_no_message_of_very_many_ends_the_node(name: str, tmp_path: Path) -> None:
    all_stands(name, tmp_path, EXAMPLES_DEEP, seeded=False)


def sources() -> list[Path]:
    return [p for p in SOURCES.glob("vital_*/vital_*/**/*.py") if "build" not in p.parts]


def test_every_node_of_the_project_is_fuzzed() -> None:
    there = set()
    for path in sources():
        for item in ast.walk(ast.parse(path.read_text())):
            if isinstance(item, ast.ClassDef) and any(getattr(base, "id", "") == "Node" for base in item.bases):
                called = [
                    c for c in ast.walk(item) if isinstance(c, ast.Call) and getattr(c.func, "attr", "") == "__init__"
                ]
                there |= {c.args[0].value for c in called if c.args and isinstance(c.args[0], ast.Constant)}
    assert there == set(NODES)


def test_nothing_is_heard_or_served_past_the_boundary() -> None:
    past = [
        f"{path.name}:{number}"
        for path in sources()
        if path.name != "ros_boundary.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ".create_subscription(" in line or ".create_service(" in line
    ]
    assert not past, "use subscribe and serve of vital_core.ros_boundary"
