"""No message ends a node: each subscription, service and action of each node gets what its type can hold at worst.

What a node listens to is found, not listed, so that a new topic is fuzzed without anybody thinking of it.
"""

import ast
import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fuzzed_nodes import NODES, good
from generated_messages import bytes_of, messages, mutations, spoilt
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rclpy.action import ActionClient, ActionServer, get_action_server_names_and_types_by_node
from rclpy.node import Node
from rclpy.serialization import serialize_message
from spun_node import SpunNode, spun, timed

# A goal's thread that dies leaves a node that is busy for ever.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
SOURCES = Path(__file__).parents[2]
EXAMPLES, EXAMPLES_DEEP = 25, 200
# Each takes a second of the simulated robot's, or waits for a camera.
SLOW_SERVICES = ("/vital/reset_scene", "/anyskin/take_baseline", "/vital/localize_target")
SLOW_SHARE = 5
# It stops whatever is said with it.
TAKES_ANYTHING = ("/vital/stop",)
# The first is answered where nothing can be refused; all are the same in every node.
OF_RCLPY = ("/get_type_description", "_parameters", "_parameter_types", "_parameters_atomically")


@dataclass(frozen=True)
class Thrower:
    """Throws so many messages; the same ones each time when ``seeded``."""

    examples: int
    seeded: bool

    def throw(self, generated: st.SearchStrategy[Any], catch: Callable[[Any], None], share: int = 1) -> None:
        """Have ``catch`` meet what is ``generated``."""

        @settings(
            max_examples=max(3, self.examples // share),
            deadline=None,
            database=None,
            derandomize=self.seeded,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @given(generated)
        def thrown(message: Any) -> None:
            catch(message)

        thrown()


def subscriptions_stand(here: SpunNode, thrower: Thrower) -> None:
    for heard in list(here.node.subscriptions):
        topic, kind = heard.topic_name, heard.msg_type
        whole = good(kind, topic)

        def hear(message: Any, heard: Any = heard) -> None:
            timed(heard.callback, message)
            here.run_timers()

        thrower.throw(bytes_of(whole) if heard.raw else messages(kind) | mutations(whole), hear)
        bad = serialize_message(whole)[:6] if heard.raw else spoilt(kind)
        if bad is not None:
            before = here.refused(topic)
            hear(bad)
            assert here.refused(topic) == before + 1, f"a bad message on {topic} was not counted"
            hear(serialize_message(whole) if heard.raw else whole)
            assert here.refused(topic) == before + 1, f"a good message on {topic} was refused"


def services_stand(here: SpunNode, thrower: Thrower) -> None:
    for served in list(here.node.services):
        kind, name = served.srv_type, served.srv_name

        def ask(request: Any, served: Any = served, kind: Any = kind) -> Any:
            answer = here.answer(served.callback, copy.deepcopy(request), kind.Response())
            assert isinstance(answer, kind.Response)
            here.run_timers()
            return answer

        share = SLOW_SHARE if name in SLOW_SERVICES or name.endswith(OF_RCLPY) else 1
        thrower.throw(messages(kind.Request) | mutations(good(kind.Request, name)), ask, share)
        bad = spoilt(kind.Request)
        if bad is not None and name not in TAKES_ANYTHING and not name.endswith(OF_RCLPY[0]):
            answer = ask(bad)
            assert not getattr(answer, "success", getattr(answer, "granted", False))
            assert here.refused(name) > 0


def actions_of(node: Node) -> list[tuple[str, list[str]]]:
    return get_action_server_names_and_types_by_node(node, node.get_name(), node.get_namespace())


def actions_stand(here: SpunNode, thrower: Thrower) -> None:
    node = here.node
    here.until(lambda: len(actions_of(node)) == sum(isinstance(w, ActionServer) for w in node.waitables))
    for name, types in actions_of(node):
        kind = getattr(importlib.import_module("vital_interfaces.action"), types[0].split("/")[-1])
        client = ActionClient(here.asker, kind, name)
        here.until(client.server_is_ready)

        def ask(goal: Any, client: Any = client) -> bool:
            sent = client.send_goal_async(goal)
            here.until(sent.done)
            handle = sent.result()
            if handle.accepted:
                here.until(handle.cancel_goal_async().done)
            here.run_timers()
            return handle.accepted

        thrower.throw(messages(kind.Goal) | mutations(good(kind.Goal, name)), ask)
        assert not ask(spoilt(kind.Goal)) and here.refused(name) > 0
        client.destroy()


def all_stands(name: str, folder: Path, thrower: Thrower) -> None:
    with spun(name, folder) as here:
        subscriptions_stand(here, thrower)
        services_stand(here, thrower)
        actions_stand(here, thrower)
        here.run_timers()
        here.until(here.refusals_are_shown)


@pytest.mark.parametrize("name", NODES)
def test_no_message_ends_the_node(name: str, tmp_path: Path) -> None:
    all_stands(name, tmp_path, Thrower(EXAMPLES, seeded=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", NODES)
def test_no_message_of_very_many_ends_the_node(name: str, tmp_path: Path) -> None:
    all_stands(name, tmp_path, Thrower(EXAMPLES_DEEP, seeded=False))


def sources() -> list[Path]:
    """Of what runs on a robot: the campaign's witness hears everything as it is, and ends with the campaign."""
    return [path for path in SOURCES.glob("vital_*/vital_*/**/*.py") if "chaos" not in path.parts]


def is_node(base: ast.expr) -> bool:
    """Whether who derives from ``base`` is a node."""
    name = base.value if isinstance(base, ast.Subscript) else base
    return getattr(name, "id", "") in ("Node", "SessionClient", "OperatorSession")


def test_every_node_of_the_project_is_fuzzed() -> None:
    there = set()
    for path in sources():
        for item in ast.walk(ast.parse(path.read_text())):
            if isinstance(item, ast.ClassDef) and any(is_node(base) for base in item.bases):
                calls = [c for c in ast.walk(item) if isinstance(c, ast.Call)]
                made = [c for c in calls if getattr(c.func, "attr", "") == "__init__" and c.args]
                there |= {c.args[0].value for c in made if isinstance(c.args[0], ast.Constant)}
    assert there == set(NODES)


def test_nothing_is_heard_or_served_past_the_boundary() -> None:
    past = [
        f"{path.name}:{number}"
        for path in sources()
        if path.name != "boundary.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ".create_subscription(" in line or ".create_service(" in line
    ]
    assert not past, "use subscribe and serve of vital_ros.boundary"
