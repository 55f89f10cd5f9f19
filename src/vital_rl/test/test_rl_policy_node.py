"""The policy node over real DDS: fake sensors and a fake gate here, the node in a process of its own."""

import array
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from action_client import SteadyActionClient
from fake_gate import FakeGate
from geometry_msgs.msg import Point
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from waiting import answer_of, stays, wait_until

from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import EndEffectorDelta, GateState, PolicyState, TactileArray
from vital_interfaces.srv import TakeBaseline
from vital_rl.acting.run_goal import finish_of

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Bench(Node):
    """A wrist camera, a tactile pad and a gate, as little of them as the policy meets."""

    def __init__(self, context: Context) -> None:
        super().__init__("bench", context=context)
        self.baselines = 0
        self.sensing = True
        self.asked, self.answering = threading.Event(), threading.Event()
        self.answering.set()
        self.encoding = "rgb8"
        self.commands: list[tuple[float, EndEffectorDelta]] = []
        self.states: list[PolicyState] = []
        self._image = self.create_publisher(Image, "/wrist_camera/image_raw", NEWEST)
        self._tactile = self.create_publisher(TactileArray, "/anyskin/tactile", NEWEST)
        self.gate = FakeGate(self)
        # May be made to wait, and nothing else is to wait with it: a node and an executor of its own.
        self.pad = Node("pad", context=context)
        self.pad.create_service(TakeBaseline, "/anyskin/take_baseline", self._on_baseline)
        self.create_subscription(EndEffectorDelta, "/vital/command", self._on_command, 10)
        self.create_subscription(PolicyState, "/vital/policy_state", self.states.append, 10)
        self.create_timer(1 / 30, self._see)
        self.create_timer(1 / 100, self._feel)
        self.client = SteadyActionClient(self, RunPolicy, "/vital/run_policy")

    def _on_baseline(self, _request, response):
        self.asked.set()
        assert self.answering.wait(10.0)
        self.baselines += 1
        response.success, response.baseline_id = True, self.baselines
        return response

    def _on_command(self, message: EndEffectorDelta) -> None:
        self.commands.append((time.monotonic(), message))

    def _see(self) -> None:
        if self.sensing:
            image = Image(encoding=self.encoding, height=128, width=128, step=384)
            image.data = array.array("B", bytes(128 * 384))
            image.header.stamp = self.get_clock().now().to_msg()
            self._image.publish(image)

    def _feel(self) -> None:
        if self.sensing:
            tactile = TactileArray(
                magnetometers=5, field_ut=[20.0] * 15, valid=[True] * 5, baseline_ut=[5.0] * 15,
                baseline_id=self.baselines,
            )  # fmt: skip
            tactile.header.stamp = self.get_clock().now().to_msg()
            self._tactile.publish(tactile)

    def goal(self, **goal):
        """Send a goal; its handle."""
        assert self.client.wait_for_server(timeout_sec=30.0), "the policy node did not come up"
        return answer_of(self.client.send_goal_async(RunPolicy.Goal(**{"task": "usb_insertion", **goal})))

    def result(self, handle) -> RunPolicy.Result:
        """Wait for a goal's result."""
        return answer_of(handle.get_result_async()).result


@pytest.fixture
def bench(own_ros_domain: int):
    context = Context()
    rclpy.init(context=context, domain_id=own_ros_domain)
    node = Bench(context)
    # Not one executor of several threads: rclpy's turns without a pause while one of them works, and sensors stall.
    executors = [SingleThreadedExecutor(context=context) for _ in range(2)]
    for executor, its_node in zip(executors, (node, node.pad), strict=True):
        executor.add_node(its_node)
    threads = [threading.Thread(target=executor.spin, daemon=True) for executor in executors]
    for thread in threads:
        thread.start()
    yield node
    for executor, thread in zip(executors, threads, strict=True):
        executor.shutdown()
        thread.join(5.0)
    node.pad.destroy_node()
    node.destroy_node()
    context.try_shutdown()


def start_node(folder: Path, *parameters: str) -> subprocess.Popen:
    arguments = [item for p in (f"checkpoint_dir:={folder}", *parameters) for item in ("-p", p)]
    return subprocess.Popen(
        [sys.executable, "-m", "vital_rl.acting.policy_node", "--ros-args", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


@pytest.fixture
def policy_process(checkpoint_path: Path, own_ros_domain: int):
    process = start_node(checkpoint_path.parent)
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=15)
    assert "Traceback" not in said
    assert process.returncode == 0


@pytest.mark.timing
def test_episode_commands_at_6_hz_and_gives_the_arm_back(bench: Bench, policy_process):
    result = bench.result(bench.goal(duration_s=2.0))
    assert result.completed and result.error_code == ErrorCode.OK
    assert 11 <= result.ticks <= 12 and result.commands_sent == result.ticks and result.observations_refused == 0
    assert bench.baselines == 1
    wait_until(lambda: bench.gate.owner == "" and len(bench.commands) == result.commands_sent)
    messages = [message for _, message in bench.commands]
    assert [m.seq for m in messages] == list(range(messages[0].seq, messages[0].seq + len(messages)))
    for m in messages:
        assert (m.owner, m.header.frame_id) == ("policy", "link_tcp")
        assert m.duration_s == pytest.approx(1 / 6)
        valid_s = (m.valid_until.sec - m.header.stamp.sec) + 1e-9 * (m.valid_until.nanosec - m.header.stamp.nanosec)
        assert 1 / 6 <= valid_s <= 1 / 6 + 0.3
    state = bench.states[-1]
    assert state.commanded and state.task == "usb_insertion" and len(state.checkpoint_sha256) == 64
    np.testing.assert_array_equal(state.action, state.base_action)
    np.testing.assert_array_equal(state.residual_action, 0.0)


def test_second_episode_takes_a_new_baseline_and_seq_goes_on(bench: Bench, policy_process):
    for _ in range(2):
        assert bench.result(bench.goal(duration_s=0.5)).completed
    wait_until(lambda: bench.gate.owner == "", "the arm given back")
    seqs = [m.seq for _, m in bench.commands]
    assert bench.baselines == 2 and seqs == sorted(set(seqs))


def test_cancelled_episode_ends_at_once_and_sends_no_more(bench: Bench, policy_process):
    handle = bench.goal(duration_s=20.0)
    wait_until(lambda: len(bench.commands) >= 3, "commands")
    start = time.monotonic()
    answer_of(handle.cancel_goal_async())
    result = bench.result(handle)
    assert result.completed and result.error_code == ErrorCode.CANCELLED and time.monotonic() - start < 1.0
    sent = result.commands_sent
    wait_until(lambda: len(bench.commands) == sent and bench.gate.owner == "")
    stays(lambda: len(bench.commands) == sent, 0.4, "silence")
    bench.answering.clear()
    bench.asked.clear()
    before_the_first_tick = bench.goal(duration_s=20.0)
    assert bench.asked.wait(10.0)
    start = time.monotonic()
    answer_of(before_the_first_tick.cancel_goal_async())
    result = bench.result(before_the_first_tick)
    assert result.error_code == ErrorCode.CANCELLED and time.monotonic() - start < 1.0
    bench.answering.set()
    assert len(bench.commands) == sent and bench.gate.owner == ""


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (
            {
                "mode": GateState.LATCHED,
                "owner": "policy",
                "stop_code": int(ErrorCode.FORCE_LIMIT),
                "stop_reason": "hard",
            },
            ErrorCode.FORCE_LIMIT,
            "hard",
        ),
        ({"mode": GateState.HOLDING, "owner": "teleop"}, ErrorCode.NOT_OWNER, "'teleop' has the arm"),
    ],
    ids=["stopped", "taken over"],
)
def test_episode_ends_with_the_gates_stop_and_with_another_owner(bench: Bench, policy_process, state, code, words):
    bench.gate.say(mode=GateState.LATCHED, stop_code=41, stop_reason="from before")
    handle = bench.goal(duration_s=20.0)
    wait_until(lambda: bench.commands)
    bench.gate.say(mode=GateState.MOVING, owner="policy")
    before = len(bench.commands)
    wait_until(lambda: len(bench.commands) >= before + 2, "commands that go on")
    bench.gate.say(**state)
    result = bench.result(handle)
    assert not result.completed and result.error_code == code and words in result.message
    assert result.duration_s < 15.0


def test_sensors_that_stall_for_a_second_give_no_command_and_end_the_episode(bench: Bench, policy_process):
    handle = bench.goal(duration_s=20.0)
    wait_until(lambda: bench.commands)
    bench.sensing = False
    start = time.monotonic()
    result = bench.result(handle)
    assert not result.completed and result.error_code == ErrorCode.STALE_OBSERVATION
    assert 1.0 < time.monotonic() - start < 3.0
    assert result.observations_refused >= 6 and "in a row" in result.message
    refused = [s for s in bench.states if not s.commanded]
    assert refused and all(s.error_code == ErrorCode.STALE_OBSERVATION for s in refused)
    wait_until(lambda: bench.gate.owner == "")


def test_an_episode_outlives_a_short_stall_and_ends_with_the_gates_heartbeat(bench: Bench, policy_process):
    handle = bench.goal(duration_s=20.0)
    wait_until(lambda: bench.commands)
    bench.sensing = False
    wait_until(lambda: any(not s.commanded for s in bench.states))
    bench.sensing = True
    sent = len(bench.commands)
    wait_until(lambda: len(bench.commands) > sent + 2)
    assert any(not s.commanded for s in bench.states)
    silent_gate_ends_it(bench, handle)


def silent_gate_ends_it(bench: Bench, handle) -> None:
    """A gate without heartbeat ends the episode; one that beats again has the next goal."""
    bench.gate.beating = False
    start = time.monotonic()
    result = bench.result(handle)
    assert not result.completed and result.error_code == ErrorCode.NODE_LOST
    assert "the command gate does not answer for 1." in result.message and 0.8 < time.monotonic() - start < 3.0
    sent = len(bench.commands)
    assert bench.result(bench.goal(duration_s=0.5)).error_code == ErrorCode.NODE_LOST
    assert len(bench.commands) == sent
    bench.gate.beating = True
    assert bench.result(bench.goal(duration_s=0.5)).completed


def test_a_goal_may_tell_where_the_arm_is_to_end_in_finite_numbers():
    assert finish_of(RunPolicy.Goal()) is None
    assert finish_of(RunPolicy.Goal(finish=[Point(x=0.4, y=-0.1, z=0.2)])).tolist() == [0.4, -0.1, 0.2]
    with pytest.raises(VitalError, match="expected finite values or none at all"):
        finish_of(RunPolicy.Goal(finish=[Point(x=float("nan"))]))


def test_goals_that_cannot_be_taken_are_refused_with_their_code(bench: Bench, policy_process):
    for goal, code in (
        ({"task": "plug_in_socket"}, ErrorCode.BAD_CHECKPOINT),
        ({"task": "make_tea"}, ErrorCode.UNKNOWN_TASK),
        ({"duration_s": -1.0}, ErrorCode.BAD_PARAMETER),
    ):
        result = bench.result(bench.goal(**goal))
        assert result.error_code == code and not result.completed and result.message
    late = (bench.get_clock().now() - Duration(seconds=8.2)).to_msg()
    result = bench.result(bench.goal(valid_until=late))
    assert result.error_code == ErrorCode.TIMEOUT and "s after its valid_until" in result.message
    assert bench.baselines == 0
    bench.gate.grants = False
    result = bench.result(bench.goal())
    assert result.error_code == ErrorCode.STOPPED and not bench.commands
    bench.gate.grants = True
    running = bench.goal(duration_s=20.0)
    assert bench.result(bench.goal()).error_code == ErrorCode.BUSY
    answer_of(running.cancel_goal_async())
    assert bench.result(running).completed


@pytest.mark.timing
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_node_cleanly_in_the_middle_of_an_episode(bench: Bench, policy_process, number):
    bench.goal(duration_s=20.0)
    wait_until(lambda: bench.commands)
    policy_process.send_signal(number)
    start = time.monotonic()
    assert policy_process.wait(10.0) == 0
    assert time.monotonic() - start < 4.0
    sent = len(bench.commands)
    wait_until(lambda: bench.gate.owner == "")
    stays(lambda: 0 < len(bench.commands) == sent, 0.4, "silence")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ((), "NO_CHECKPOINT"),
        (("task:=make_tea",), "UNKNOWN_TASK"),
        (("max_age_s:=99.0",), "BAD_PARAMETER"),
        (("max_age_s:=old",), "BAD_PARAMETER"),
    ],
)
def test_bad_parameter_is_one_line_with_its_code(tmp_path: Path, own_ros_domain: int, parameters, said):
    process = start_node(tmp_path, *parameters)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 2 and said in output and "Traceback" not in output
    assert len([line for line in output.splitlines() if line.strip()]) == 1
