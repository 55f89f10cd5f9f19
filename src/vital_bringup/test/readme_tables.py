"""The tables in the packages' READMEs: what each node hears, says and serves, and its parameters, asked of the node.

    ./vital shell -c 'python src/vital_bringup/test/readme_tables.py'

writes them anew between the marks in each `src/*/README.md`; a test compares.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from fuzzed_nodes import NODES
from rclpy.action import get_action_client_names_and_types_by_node, get_action_server_names_and_types_by_node
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

SOURCES = Path(__file__).parents[2]
sys.path.append(str(SOURCES / "vital_ros" / "test"))  # where pytest finds the helpers of `spun_node`

from spun_node import spun  # noqa: E402

MARKS = re.compile(r"(<!-- nodes -->\n).*?(<!-- end of nodes -->)", re.DOTALL)
PLAIN = {"/rosout", "/parameter_events", "/diagnostics"}
OF_EVERY_NODE = {"use_sim_time", "start_type_description_service"}
# PyPI lacks the type; the tests put another in its place.
STAND_INS = {"/xarm_gripper/gripper_action": "control_msgs/GripperCommand"}
OF_PARAMETERS = re.compile(
    r"/(describe_parameters|get_parameters|get_parameter_types|list_parameters|set_parameters|set_parameters_atomically"
    r"|get_type_description)$"
)


def _type(of: Any) -> str:
    return f"{of.__module__.split('.')[0]}/{of.__name__}"


def _qos(profile: QoSProfile) -> str:
    words = ["reliable" if profile.reliability == ReliabilityPolicy.RELIABLE else "best effort"]
    if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        words.append("latched")
    return f"{', '.join(words)}, depth {profile.depth}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        yield from ("| " + " | ".join(row) + " |" for row in rows)
        yield ""


def _topics(node: Node) -> Iterator[str]:
    for what, ends in (("hears", node.subscriptions), ("says", node.publishers)):
        found = {(e.topic_name, _type(e.msg_type), _qos(e.qos_profile)) for e in ends if e.topic_name not in PLAIN}
        yield from _table((what, "type", "QoS"), [(f"`{name}`", kind, qos) for name, kind, qos in sorted(found)])


def _calls(node: Node) -> Iterator[str]:
    rows = []
    # Who hears an action's feedback passes for one of its clients.
    overheard = {e.topic_name.removesuffix("/_action/feedback") for e in node.subscriptions}
    for word, ends in (("serves", node.services), ("calls", node.clients)):
        rows += [(word, e.srv_name, _type(e.srv_type)) for e in ends if not OF_PARAMETERS.search(e.srv_name)]
    for word, ask in (
        ("serves", get_action_server_names_and_types_by_node),
        ("calls", get_action_client_names_and_types_by_node),
    ):
        for name, kinds in ask(node, node.get_name(), node.get_namespace()):
            if word == "calls" and name in overheard:
                continue
            kind = STAND_INS.get(name, kinds[0].replace("/action/", "/"))
            rows.append((word, name, f"{kind} (action)"))
    yield from _table(("", "service or action", "type"), [(w, f"`{n}`", k) for w, n, k in sorted(set(rows))])


def _shown(value: Any) -> str:
    if isinstance(value, Parameter.Type) or value is None:
        return "required"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    if isinstance(value, Sequence):
        return "`[" + ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value) + "]`"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(descriptor: Any) -> str:
    for found in (*descriptor.floating_point_range, *descriptor.integer_range):
        return f"{found.from_value:g} to {found.to_value:g}"
    return descriptor.additional_constraints


def _parameters(node: Node, defaults: dict[str, Any]) -> Iterator[str]:
    rows = []
    for name in sorted(set(defaults) & set(node._parameters) - OF_EVERY_NODE):
        described = node.describe_parameter(name)
        kind = node.get_parameter(name).type_.name.lower().replace("_", " ")
        rows.append((f"`{name}`", kind, _shown(defaults[name]), _range(described), described.description))
    yield from _table(("parameter", "type", "default", "range", "meaning"), rows)


def programs(package: str) -> dict[str, str]:
    """Executable by the module that it starts."""
    text = (SOURCES / package / "setup.py").read_text()
    return {module: name for name, module in re.findall(r'"(\w+) = ([\w.]+):main"', text)}


def described(name: str, folder: Path) -> tuple[str, list[str]]:
    """The package of a node of `fuzzed_nodes`, and the lines of its README that tell of it."""
    defaults: dict[str, Any] = {}
    declare = Node.declare_parameter

    def noted(node: Node, parameter: str, value: Any = None, *rest: Any, **named: Any) -> Any:
        defaults.setdefault(parameter, value)
        return declare(node, parameter, value, *rest, **named)

    with patch.object(Node, "declare_parameter", noted), spun(name, folder) as here:
        node = here.node
        kind = next(k for k in type(node).__mro__ if k.__module__.startswith("vital_"))
        package = kind.__module__.split(".")[0]
        program = programs(package).get(kind.__module__, name)
        body = [*_topics(node), *_calls(node), *_parameters(node, defaults)]
    return package, [f"### `{program}`", "", *body]


def sections() -> dict[str, str]:
    """The nodes' part of each package's README."""
    found: dict[str, list[str]] = {}
    for name in NODES:
        with TemporaryDirectory() as folder:
            package, lines = described(name, Path(folder))
        found.setdefault(package, []).extend(lines)
    return {package: "\n".join([*lines, ""]) for package, lines in found.items()}


def with_section(readme: str, section: str) -> str:
    """A README's text with this between its marks."""
    return MARKS.sub(lambda marks: marks[1] + section + marks[2], readme)


if __name__ == "__main__":
    for package, section in sections().items():
        path = SOURCES / package / "README.md"
        path.write_text(with_section(path.read_text(), section))
    sys.stdout.flush()
    os._exit(0)
