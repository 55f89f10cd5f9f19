"""The gripper's wishes become one goal at a time."""

import math
import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import rclpy
from action_msgs.msg import GoalStatus
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_control.gripper import xarm_gripper_node
from vital_control.gripper.gripper_relay import GripperRelay
from vital_control.gripper.xarm_gripper_node import XarmGripper, gripper_command_type, position_of
from vital_core.errors import VitalError


def test_wish_becomes_a_goal_once():
    relay = GripperRelay()
    assert relay.next_goal() is None
    relay.wish(0.85)
    assert relay.next_goal() == 0.85 and relay.next_goal() is None
    relay.done(True)
    relay.wish(0.851)
    assert relay.next_goal() is None


def test_wishes_during_a_motion_wait_and_the_last_one_counts():
    relay = GripperRelay()
    relay.wish(0.85)
    relay.next_goal()
    relay.wish(0.2)
    relay.wish(0.0)
    assert relay.next_goal() is None
    relay.done(True)
    assert relay.next_goal() == 0.0


def test_goal_that_failed_is_not_repeated_by_itself_but_when_wished_again():
    relay = GripperRelay()
    relay.wish(0.85)
    relay.next_goal()
    relay.done(False)
    assert relay.next_goal() is None
    relay.wish(0.85)
    assert relay.next_goal() == 0.85


def trajectory(*positions: float, name: str = "drive_joint") -> JointTrajectory:
    return JointTrajectory(joint_names=[name], points=[JointTrajectoryPoint(positions=[p]) for p in positions])


def test_last_point_within_the_stroke_counts():
    assert position_of(trajectory(0.1, 0.4)) == 0.4
    assert position_of(trajectory(0.9)) == 0.85 and position_of(trajectory(-0.1)) == 0.0


def test_what_is_no_gripper_position_is_refused():
    for message in (trajectory(), trajectory(math.nan), trajectory(0.1, name="joint1")):
        with pytest.raises(VitalError, match="expected one position of drive_joint"):
            position_of(message)


class Driver:
    """The vendor's action server, as the client sees it: one goal at a time, answered when the test says so."""

    def __init__(self, *_: object) -> None:
        self.goals: list[float] = []
        self.results: list[Future] = []
        self.ready = True

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal: SimpleNamespace) -> Future:
        self.goals.append(goal.command.position)
        self.results.append(Future())
        handle, accepted = SimpleNamespace(accepted=True, get_result_async=lambda: self.results[-1]), Future()
        accepted.set_result(handle)
        return accepted

    def finish(self, status: int) -> None:
        self.results[-1].set_result(SimpleNamespace(status=status))


@pytest.fixture
def gripper(monkeypatch) -> Iterator[tuple[XarmGripper, Driver]]:
    """The node, not spinning, before a driver."""
    monkeypatch.setattr(xarm_gripper_node, "ActionClient", Driver)
    rclpy.init()
    goal = SimpleNamespace(Goal=lambda: SimpleNamespace(command=SimpleNamespace(position=math.nan)))
    node = XarmGripper(goal)
    yield node, node._action
    node.destroy_node()
    rclpy.try_shutdown()


def hear(node, message):
    """As if it came on the topic."""
    next(heard for heard in node.subscriptions if heard.topic_name == xarm_gripper_node.TOPIC).callback(message)


def test_node_turns_trajectories_into_goals_of_the_driver(gripper):
    node, driver = gripper
    hear(node, trajectory(0.85))
    hear(node, trajectory(0.0))
    assert driver.goals == [0.85]
    driver.finish(GoalStatus.STATUS_SUCCEEDED)
    assert driver.goals == [0.85, 0.0]
    driver.finish(GoalStatus.STATUS_ABORTED)
    health = node._health()
    assert driver.goals == [0.85, 0.0] and health.values["reached"] == 1 and health.values["failed"] == 1


def test_node_waits_for_a_driver_that_is_late_and_says_so(gripper):
    node, driver = gripper
    driver.ready = False
    hear(node, trajectory(0.5))
    assert driver.goals == [] and "nobody serves /xarm_gripper/gripper_action" in node._health().message
    driver.ready = True
    node._send()
    assert driver.goals == [0.5]


def test_node_refuses_what_is_no_gripper_trajectory(gripper):
    node, driver = gripper
    hear(node, trajectory(0.5, name="joint1"))
    assert driver.goals == [] and node._diagnostics.now().values[f"refused {xarm_gripper_node.TOPIC}"] == 1


@pytest.mark.skipif(os.environ.get("VITAL_ENVIRONMENT") != "wheels", reason="a ROS installation has control_msgs")
def test_without_control_msgs_it_names_the_package():
    with pytest.raises(VitalError, match="ros-jazzy-control-msgs"):
        gripper_command_type()
