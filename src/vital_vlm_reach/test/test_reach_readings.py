"""Work beside the executor, and joint readings that come, lie, stop and settle: over real DDS."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from ros_domain import own_domain
from sensor_msgs.msg import JointState

from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.arm_calls import JointReadings
from vital_vlm_reach.background import in_background

DOMAIN = own_domain()
PATIENCE_S = 20.0


class Arm:
    """A spinning node that publishes the joints 200 times a second; ``message`` makes each message."""

    def __init__(self) -> None:
        self.context = Context()
        self.context.init(domain_id=DOMAIN)
        self.node = Node("reach", context=self.context)
        self.message: Callable[[], JointState | None] = lambda: None
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._publisher = self.node.create_publisher(JointState, "/joint_states", 10)
        self.readings = JointReadings(self.node)
        self.node.create_timer(0.005, self._tell)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._over.is_set():
            self.executor.spin_once(timeout_sec=0.05)

    def _tell(self) -> None:
        if (message := self.message()) is not None:
            self._publisher.publish(message)

    def close(self) -> None:
        self._over.set()
        self._thread.join(PATIENCE_S)
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def arm() -> Iterator[Arm]:
    arm = Arm()
    yield arm
    arm.close()


def joints(positions: np.ndarray, names: list[str] | None = None) -> JointState:
    return JointState(name=names or list(JOINT_NAMES), position=np.asarray(positions, float).tolist())


# Joint readings.


def test_a_reading_is_in_the_arms_order_whatever_else_is_told(arm):
    arm.message = lambda: joints([0.5, *HOME_RAD[::-1]], ["drive_joint", *JOINT_NAMES[::-1]])
    np.testing.assert_array_equal(arm.readings.next(PATIENCE_S), HOME_RAD)


@pytest.mark.parametrize("wrong", [None, joints(HOME_RAD[:6], list(JOINT_NAMES[:6])), joints([np.nan] * 7)])
def test_an_arm_that_says_nothing_of_use_is_a_silent_sensor(arm, wrong):
    arm.message = lambda: wrong
    with pytest.raises(VitalError, match=r"joint1 to joint7 within 0\.2 s: is the arm connected") as refusal:
        arm.readings.next(0.2)
    assert refusal.value.code is ErrorCode.SENSOR_FAULT


def test_an_old_reading_is_not_the_next_one(arm):
    arm.message = lambda: joints(HOME_RAD)
    arm.readings.next(PATIENCE_S)
    arm.message = lambda: None
    with pytest.raises(VitalError) as refusal:
        for _ in range(20):  # a few may be on their way
            arm.readings.next(0.2)
    assert refusal.value.code is ErrorCode.SENSOR_FAULT


def test_an_arm_is_settled_once_its_joints_no_longer_move(arm):
    steps = iter(np.linspace(0.0, 0.2, 60))
    arm.message = lambda: joints(HOME_RAD + next(steps, 0.2))
    np.testing.assert_allclose(arm.readings.settled(timeout_s=PATIENCE_S), np.asarray(HOME_RAD) + 0.2)


def test_an_arm_that_never_settles_is_read_when_the_time_is_up(arm):
    angles = iter(np.arange(10**6) * 0.01)
    arm.message = lambda: joints(HOME_RAD + next(angles))
    first = arm.readings.next(PATIENCE_S)
    assert (arm.readings.settled(timeout_s=0.3) > first).all()


# Work in the background.


def outcome(future: Future) -> Callable[[], object]:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(PATIENCE_S)
    return future.result()


def test_work_runs_beside_the_executor_and_its_value_comes_back_in_it(arm):
    spinning, begin = arm._thread, threading.Event()
    work = in_background(arm.node, lambda: begin.wait(PATIENCE_S) and threading.current_thread())
    heard: list[threading.Thread] = []
    work.done.add_done_callback(lambda _: heard.append(threading.current_thread()))
    begin.set()
    worker = outcome(work.done)()
    assert worker is work.thread and worker is not spinning
    assert heard == [spinning] and worker.daemon


def test_what_work_refuses_comes_through_and_what_breaks_in_it_is_an_internal_fault_with_its_kind(arm):
    def refuse() -> None:
        raise VitalError(ErrorCode.NO_DEPTH, "too near")

    def break_down() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(VitalError, match="too near") as refusal:
        outcome(in_background(arm.node, refuse).done)()
    assert refusal.value.code is ErrorCode.NO_DEPTH
    with pytest.raises(VitalError, match="ZeroDivisionError: a bug") as fault:
        outcome(in_background(arm.node, break_down).done)()
    assert fault.value.code is ErrorCode.INTERNAL
