"""`ros2 topic`, `node`, `service`, `action`, `param`, against a real node."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

Ros2 = Callable[..., tuple[int, str]]
needs_tf2_msgs = pytest.mark.skipif(
    importlib.util.find_spec("tf2_msgs") is None, reason="tf2_msgs is not built: ./vital setup builds it"
)


@pytest.fixture(scope="module", autouse=True)
def greeter(environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        ["ros2", "run", "demo_pkg", "greeter"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        assert "parameters world" in process.stderr.readline()
        yield
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_topic_list(ros2: Ros2) -> None:
    returncode, output = ros2("topic", "list", "-t")
    assert returncode == 0
    assert "/greetings [std_msgs/msg/String]" in output.splitlines()
    assert output.splitlines() == sorted(output.splitlines())


def test_topic_echo_of_a_best_effort_publisher(ros2: Ros2) -> None:
    assert ros2("topic", "echo", "--once", "/greetings") == (0, "data: hello world\n---\n")


def test_topic_echo_of_a_latched_message_truncates_it(ros2: Ros2) -> None:
    returncode, output = ros2("topic", "echo", "--once", "/numbers")
    assert returncode == 0
    document, _ = output.split("---\n")
    message = yaml.safe_load(document)
    assert list(message) == ["layout", "data"]
    assert len(message["data"]) == 129
    assert message["data"][-1] == "..."


def test_topic_echo_of_a_field(ros2: Ros2) -> None:
    assert ros2("topic", "echo", "--once", "--field", "layout.data_offset", "/numbers") == (0, "0\n---\n")


def test_topic_echo_of_an_unknown_topic(ros2: Ros2) -> None:
    returncode, output = ros2("topic", "echo", "--spin-time", "1", "/nobody_publishes")
    assert returncode == 1
    assert "WARNING: topic [/nobody_publishes] does not appear to be published yet" in output
    assert "Could not determine the type for the passed topic" in output


def test_topic_hz(start: Any) -> None:
    hz = start("ros2", "topic", "hz", "--window", "20", "/greetings")
    match = hz.wait_for(
        r"average rate: (\d+\.\d{3})\n\tmin: \d\.\d{3}s max: \d\.\d{3}s std dev: \d\.\d{5}s window: \d+"
    )
    assert float(match[1]) == pytest.approx(20.0, rel=0.2)
    hz.send_signal(signal.SIGINT)
    assert hz.finish() == signal.SIGINT


def test_topic_info(ros2: Ros2) -> None:
    expected = "Type: std_msgs/msg/String\nPublisher count: 1\nSubscription count: 0\n"
    assert ros2("topic", "info", "/greetings") == (0, expected)
    returncode, output = ros2("topic", "info", "-v", "/numbers")
    assert returncode == 0
    assert "Node name: greeter" in output
    assert "  Durability: TRANSIENT_LOCAL" in output


def test_topic_info_of_an_unknown_topic(ros2: Ros2) -> None:
    assert ros2("topic", "info", "--spin-time", "1", "/gone") == (1, "Unknown topic '/gone'\n")


def test_topic_pub_once_waits_for_the_subscription(ros2: Ros2) -> None:
    returncode, output = ros2("topic", "pub", "--once", "/words", "std_msgs/msg/String", "data: hi")
    assert returncode == 0
    assert output.endswith("publisher: beginning loop\npublishing #1: std_msgs.msg.String(data='hi')\n\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["std_msgs/msg/String", "dat: hi"], "Failed to populate field: 'String' object has no attribute 'dat'"),
        (["std_msgs/msg/Strong"], "The passed message type is invalid"),
        (["std_msgs/msg/String", "hi"], "The passed value needs to be a dictionary in YAML format"),
    ],
)
def test_topic_pub_of_something_bad(ros2: Ros2, arguments: list[str], words: str) -> None:
    returncode, output = ros2("topic", "pub", "--once", "/words", *arguments)
    assert returncode == 1
    assert words in output


def test_topic_pub_fills_nested_messages_and_stamps(start: Any, ros2: Ros2) -> None:
    values = "{header: auto, name: [a, b], position: [1, 2.5]}"
    pub = start("ros2", "topic", "pub", "-r", "5", "/joints", "sensor_msgs/msg/JointState", values)
    pub.wait_for("publishing #1")
    returncode, output = ros2("topic", "echo", "--once", "/joints")
    message = yaml.safe_load(output.split("---")[0])
    assert returncode == 0
    assert message["position"] == [1.0, 2.5]
    assert message["name"] == ["a", "b"]
    assert message["header"]["stamp"]["sec"] > 0


def test_node_info(ros2: Ros2) -> None:
    returncode, output = ros2("node", "info", "/greeter")
    assert returncode == 0
    sections = re.findall(r"^  ([A-Z].*):$", output, re.MULTILINE)
    assert output.startswith("/greeter\n")
    assert sections == [
        "Subscribers",
        "Publishers",
        "Service Servers",
        "Service Clients",
        "Action Servers",
        "Action Clients",
    ]
    assert "    /greeter/switch: std_srvs/srv/SetBool\n" in output


def test_node_info_of_an_unknown_node(ros2: Ros2) -> None:
    assert ros2("node", "info", "--spin-time", "1", "/gone") == (1, "Unable to find node '/gone'\n")


def test_service_list_and_type(ros2: Ros2) -> None:
    returncode, output = ros2("service", "list", "-t")
    assert returncode == 0
    assert "/greeter/switch [std_srvs/srv/SetBool]" in output.splitlines()
    assert ros2("service", "type", "/greeter/switch") == (0, "std_srvs/srv/SetBool\n")


def test_service_call(ros2: Ros2) -> None:
    returncode, output = ros2("service", "call", "/greeter/switch", "std_srvs/srv/SetBool", "{data: true}")
    assert returncode == 0
    assert output.endswith(
        "requester: making request: std_srvs.srv.SetBool_Request(data=True)\n\n"
        "response:\nstd_srvs.srv.SetBool_Response(success=True, message='switched')\n\n"
    )


def test_param_list_get_set_dump(ros2: Ros2) -> None:
    returncode, output = ros2("param", "list", "/greeter")
    assert returncode == 0
    assert {"  counts", "  rate", "  use_sim_time", "  whom"} <= set(output.splitlines())
    assert ros2("param", "get", "/greeter", "rate") == (0, "Double value is: 1.0\n")
    assert ros2("param", "set", "/greeter", "rate", "2.5") == (0, "Set parameter successful\n")
    assert ros2("param", "get", "--hide-type", "/greeter", "rate") == (0, "2.5\n")
    returncode, output = ros2("param", "dump", "/greeter")
    assert returncode == 0
    parameters = yaml.safe_load(output)["/greeter"]["ros__parameters"]
    assert parameters["rate"] == 2.5
    assert parameters["counts"] == [1, 2, 3]


def test_param_set_of_the_wrong_type_says_why(ros2: Ros2) -> None:
    returncode, output = ros2("param", "set", "/greeter", "rate", "fast")
    assert returncode == 0
    assert output.startswith("Setting parameter failed: Wrong parameter type")


def test_param_of_an_unknown_node(ros2: Ros2) -> None:
    assert ros2("param", "list", "/gone", "--timeout", "1") == (1, "Node not found\n")


@needs_tf2_msgs
def test_action_list_and_send_goal(ros2: Ros2) -> None:
    returncode, output = ros2("action", "list", "-t")
    assert returncode == 0
    assert "/lookup [tf2_msgs/action/LookupTransform]" in output.splitlines()
    goal = ["/lookup", "tf2_msgs/action/LookupTransform", "{target_frame: tool}"]
    returncode, output = ros2("action", "send_goal", "--feedback", *goal)
    assert returncode == 0
    for words in (
        "Waiting for an action server to become available...\nSending goal:\n     target_frame: tool\n",
        "Goal accepted with ID: ",
        "Feedback:\n    ",
        "Result:\n    transform:\n",
        "  child_frame_id: tool\n",
        "Goal finished with status: SUCCEEDED\n",
    ):
        assert words in output


@needs_tf2_msgs
def test_action_goal_that_is_rejected(ros2: Ros2) -> None:
    returncode, output = ros2("action", "send_goal", "/lookup", "tf2_msgs/action/LookupTransform", "advanced: true")
    assert returncode == 0
    assert "Goal was rejected." in output


@needs_tf2_msgs
def test_ctrl_c_cancels_the_goal(start: Any) -> None:
    goal = start("ros2", "action", "send_goal", "/lookup", "tf2_msgs/action/LookupTransform", "target_frame: never")
    goal.wait_for("Goal accepted")
    goal.send_signal(signal.SIGINT)
    assert goal.finish() == signal.SIGINT
    assert "Canceling goal...\nGoal canceled.\n" in goal.output
