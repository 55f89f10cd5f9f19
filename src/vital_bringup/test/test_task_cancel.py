"""A task that is cancelled: the real task server over real DDS, with skills here that end only when cancelled."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from action_client import SteadyActionClient
from action_msgs.msg import GoalStatus
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.time import Time
from ros_domain import own_domain
from threaded_action import ThreadedAction
from waiting import wait_until

from vital_bringup.tasks.task_run import Located
from vital_bringup.tasks.task_server_node import TaskServer
from vital_bringup.tasks.trial import Phase
from vital_core.errors import ErrorCode
from vital_core.target import Target, TargetYaw
from vital_interfaces.action import ReachTarget, RunPolicy, RunTask
from vital_interfaces.msg import GateState
from vital_interfaces.srv import LocalizeTarget, Stop
from vital_ros.long_action import GoalEnd
from vital_ros.qos import LATCHED
from vital_ros.target_message import target_message, target_of

TARGET = Target(np.array([0.41, -0.07, 0.03]), yaw=TargetYaw(0.4, 0.02, 2))
# Enough for a machine that is busy with other things; what is measured is said on its own.
ANSWER_S = 30.0
RUN_TASK = ("action", "send_goal", "/vital/run_task", "vital_interfaces/action/RunTask", "{task: usb_insertion}")


class Skills(Node):
    """Reach, policy and the gate's stop; the skill named in `slow` ends only when it is cancelled."""

    def __init__(self) -> None:
        super().__init__("skills")
        self.slow, self.deaf = "", False
        self.server: TaskServer | None = None
        self.release, self.at_work = threading.Event(), threading.Event()
        self.reached: list[ReachTarget.Goal] = []
        self.cancelled: list[str] = []
        self.stops: list[str] = []
        self.create_service(Stop, "/vital/stop", self._stop)
        self._actions = [
            ThreadedAction(self, ReachTarget, "/vital/reach_target", self._reach_target),
            ThreadedAction(self, RunPolicy, "/vital/run_policy", self._run_policy),
        ]
        self.beating = True
        self._gate = self.create_publisher(GateState, "/vital/gate_state", LATCHED)
        self.create_timer(0.1, self._beat)
        self.client = SteadyActionClient(self, RunTask, "/vital/run_task")

    def _beat(self) -> None:
        if self.beating:
            self._gate.publish(GateState())

    def _stop(self, request, response):
        self.stops.append(request.reason)
        response.success = True
        return response

    def _reach_target(self, handle):
        self.reached.append(handle.request)
        return self._work("reach", handle, ReachTarget.Result(success=True))

    def _run_policy(self, handle):
        return self._work("policy", handle, RunPolicy.Result(completed=True))

    def _work(self, name, handle, result):
        while self.slow == name and not self.release.wait(0.01):
            self.at_work.set()
            if handle.is_cancel_requested and not self.deaf:
                self.cancelled.append(name)
                result.error_code = int(ErrorCode.CANCELLED)
                return GoalEnd.CANCELED, result
        return GoalEnd.SUCCEEDED, result

    def send(self, **goal):
        """The handle of an accepted task."""
        assert self.client.wait_for_server(timeout_sec=ANSWER_S)
        handle = answer_of(self.client.send_goal_async(RunTask.Goal(task="usb_insertion", **goal)))
        assert handle.accepted
        return handle


class Eyes(Node):
    """Localisation, which waits in its callback when it is the slow one."""

    def __init__(self, skills: Skills) -> None:
        super().__init__("eyes")
        self._skills = skills
        self.create_service(LocalizeTarget, "/vital/localize_target", self._localize)

    def _localize(self, _request, response):
        if self._skills.slow == "localize":
            self._skills.at_work.set()
            self._skills.release.wait(ANSWER_S)
        response.success = True
        response.target = target_message(TARGET, self.get_clock().now().to_msg())
        return response


def answer_of(future):
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(ANSWER_S), "no answer"
    return future.result()


def spin(node: Node, stopping: threading.Event) -> threading.Thread:
    executor = EventsExecutor()
    executor.add_node(node)

    def run() -> None:
        while not stopping.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def running() -> Iterator[Skills]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(own_domain()))
        rclpy.init()
        skills, server, stopping = Skills(), TaskServer(), threading.Event()
        skills.server = server
        nodes = (skills, Eyes(skills), server)
        threads = [spin(node, stopping) for node in nodes]
        yield skills
        skills.release.set()
        server.on_exit()
        stopping.set()
        for thread in threads:
            thread.join(5.0)
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def skills(running: Skills) -> Iterator[Skills]:
    running.slow, running.deaf, running.beating = "", False, True
    running.release.clear()
    running.at_work.clear()
    for seen in (running.reached, running.cancelled, running.stops):
        seen.clear()
    yield running
    running.release.set()


def cancelled_task(skills: Skills) -> tuple[int, RunTask.Result, float]:
    """Status and result of a task that is cancelled while a skill is at work, and how long after that they came."""
    handle = skills.send()
    assert skills.at_work.wait(ANSWER_S)
    result = handle.get_result_async()
    start = time.monotonic()
    assert answer_of(handle.cancel_goal_async()).goals_canceling, "the cancel was refused"
    answer = answer_of(result)
    return answer.status, answer.result, time.monotonic() - start


@pytest.mark.parametrize("phase", [Phase.LOCALIZE, Phase.REACH, Phase.POLICY])
def test_a_cancel_reaches_the_skill_at_work_and_the_result_says_where(skills: Skills, phase: Phase):
    skills.slow = str(phase)
    status, result, took_s = cancelled_task(skills)
    assert status == GoalStatus.STATUS_CANCELED and not result.success
    assert (result.report.error_code, result.report.phase) == (int(ErrorCode.CANCELLED), str(phase))
    assert took_s < 1.0
    assert skills.cancelled == ([] if phase is Phase.LOCALIZE else [str(phase)])
    assert not skills.stops and (skills.reached or phase is Phase.LOCALIZE)


def test_a_skill_that_does_not_answer_a_cancel_has_the_gate_stop_the_arm(skills: Skills):
    skills.slow, skills.deaf = "reach", True
    status, result, took_s = cancelled_task(skills)
    assert status == GoalStatus.STATUS_CANCELED and result.report.error_code == int(ErrorCode.CANCELLED)
    assert took_s < 1.5 and "gate was told to stop" in result.report.message
    wait_until(lambda: len(skills.stops) == 1)


def test_the_next_task_runs_after_a_cancelled_one(skills: Skills):
    skills.slow = "reach"
    cancelled_task(skills)
    skills.slow = ""
    answer = answer_of(skills.send(seed=4).get_result_async())
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert (answer.result.report.phase, answer.result.report.seed) == ("policy", 4)


def test_reach_is_sent_where_localisation_found_the_target_and_only_for_a_while(skills: Skills):
    before_ns = skills.get_clock().now().nanoseconds
    answer_of(skills.send(seed=7).get_result_async())
    goal = skills.reached[0]
    target = target_of(goal.target)
    np.testing.assert_allclose(target.point_m, TARGET.point_m)
    assert target.yaw == TARGET.yaw
    assert (goal.target.header.frame_id, goal.seed) == ("link_base", 7)
    assert 1.9 < 1e-9 * (Time.from_msg(goal.valid_until).nanoseconds - before_ns) < 2.0 + ANSWER_S


def test_reach_goes_to_the_place_that_it_is_given_whatever_was_located_before(skills: Skills):
    ours = skills.server._skills
    ours.localize("the USB port", "usb_insertion")
    elsewhere = Target(np.array([0.5, 0.1, 0.06]))
    ours.reach("usb_insertion", Located((1.0, 2.0), elsewhere), 3)
    target = target_of(skills.reached[-1].target)
    np.testing.assert_allclose(target.point_m, elsewhere.point_m)
    assert target.yaw is None


def test_a_gate_that_falls_silent_ends_the_task_and_the_skill_at_work(skills: Skills):
    skills.slow = "policy"
    handle = skills.send()
    assert skills.at_work.wait(ANSWER_S)
    skills.beating = False
    report = answer_of(handle.get_result_async()).result.report
    assert (report.error_code, report.phase) == (int(ErrorCode.NODE_LOST), "policy")
    assert "the command gate does not answer" in report.message and skills.cancelled == ["policy"]


def test_ctrl_c_of_ros2_action_send_goal_cancels_the_task(skills: Skills):
    skills.slow = "policy"
    command = subprocess.Popen(
        ["ros2", *RUN_TASK],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert skills.at_work.wait(ANSWER_S)
        # The task may be at work before the command has heard that its goal was accepted.
        assert any("Goal accepted" in line for line in command.stdout)
        command.send_signal(signal.SIGINT)
        output, _ = command.communicate(timeout=ANSWER_S)
    finally:
        command.kill()
    assert "Goal canceled" in output and "Traceback" not in output
    wait_until(lambda: skills.cancelled == ["policy"])
