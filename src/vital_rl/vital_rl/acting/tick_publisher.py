"""What leaves the policy node at every tick: its state for everybody, its command for the gate."""

from rclpy.node import Node

from vital_core.task import Task
from vital_interfaces.msg import EndEffectorDelta, PolicyState
from vital_rl.acting import policy_messages
from vital_rl.acting.episode import TickTimes
from vital_rl.acting.episode_services import EpisodeServices
from vital_rl.acting.tick import TickResult


class TickPublisher:
    """Counts the ticks of a node, whatever the episode. checkpoint_sha256: of the base policy, for the state."""

    def __init__(self, node: Node, services: EpisodeServices, task: Task, checkpoint_sha256: str) -> None:
        self._node, self._services, self._seq = node, services, 0
        self._task, self._sha256 = task, checkpoint_sha256
        self._command = node.create_publisher(EndEffectorDelta, "/vital/command", 1)
        self._state = node.create_publisher(PolicyState, "/vital/policy_state", 10)

    @property
    def seq(self) -> int:
        """Of the newest tick, and of its command."""
        return self._seq

    def publish(self, result: TickResult, times: TickTimes, command: bool) -> None:
        """Say a tick, and send its action where there is one and ``command`` says so."""
        self._seq += 1
        now_ns = self._node.get_clock().now().nanoseconds
        if command and result.action is not None:
            token, period_s = self._services.token, self._task.period_s
            self._command.publish(
                policy_messages.command(result.action, token, self._seq, result.stamp_ns, now_ns, period_s)
            )
        self._state.publish(policy_messages.state(self._task.name, self._seq, now_ns, self._sha256, result, times))
