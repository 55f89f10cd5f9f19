"""The learner as a ROS node: the replay's episodes in, the actor's weights out, and how far learning is."""

import hashlib
import threading
from collections.abc import Sequence

from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from std_msgs.msg import Header

from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import LearnerState, ReplayState, ResidualWeights, StoredEpisode
from vital_interfaces.srv import ReadReplay
from vital_rl.acting.weights_inbox import TOPIC
from vital_rl.learner.learner_parameters import LearnerParameters
from vital_rl.learner.learning import ResidualLearner
from vital_rl.learner.learning_thread import AWAY, LearningPace, LearningThread, ReplayReader
from vital_rl.residual.residual import Residual, to_bytes
from vital_ros.boundary import subscribe
from vital_ros.calls import call
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import LATCHED

ANSWER_S = 30.0


class LearnerNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("learner_node")
        self._stopping = threading.Event()
        given = declare(self, LearnerParameters)
        self._task = given.task
        self._read = self.create_client(ReadReplay, "/vital/replay/read")
        self._weights = self.create_publisher(ResidualWeights, TOPIC, LATCHED)
        self._state = self.create_publisher(LearnerState, "/vital/learner_state", 10)
        self._learning = LearningThread(
            self._make_learner(given),
            ReplayReader(self._read_since, self._read_one),
            self._publish_weights,
            LearningPace(given.learning_threads, given.publish_every, given.save_every_s),
            sessions=given.sessions,
            about={"seed": given.seed, "learned": given.launched},
            stopping=self._stopping,
            say=self.get_logger().info,
        )
        subscribe(self, ReplayState, "/vital/replay_state", self._on_replay, LATCHED)
        self.create_timer(1.0, self._publish_state)
        self._diagnostics = Diagnostics(self, self._health)
        self._learning.start()

    @property
    def fatal(self) -> VitalError | None:
        """What ended the learning."""
        return self._learning.fatal

    def _make_learner(self, given: LearnerParameters) -> ResidualLearner:
        folder = given.folder_path()
        checkpoint = given.load_checkpoint()
        config = given.configure(checkpoint.feature_size)
        folder.mkdir(parents=True, exist_ok=True)
        return ResidualLearner(config, checkpoint, folder, self._end_when_stopped)

    def _end_when_stopped(self) -> None:
        if self._stopping.is_set():
            raise VitalError(ErrorCode.CANCELLED, "stopped")

    def _on_replay(self, message: ReplayState) -> None:
        self._learning.read_up_to(message.cursor)

    def _ask(self, request: ReadReplay.Request) -> ReadReplay.Response:
        answer = call(self._read, request, ANSWER_S, self._stopping.is_set)
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.INTERNAL), answer.message)
        return answer

    def _read_since(self, cursor: int, limit: int) -> tuple[Sequence[StoredEpisode], int]:
        answer = self._ask(ReadReplay.Request(cursor=cursor, limit=limit))
        return answer.found, answer.cursor

    def _read_one(self, number: int) -> StoredEpisode | None:
        return next(iter(self._ask(ReadReplay.Request(episodes=[number])).found), None)

    def _publish_weights(self, residual: Residual) -> None:
        data = to_bytes(residual)
        message = ResidualWeights(header=Header(stamp=self.get_clock().now().to_msg()), task=self._task)
        message.version, message.steps = residual.version, residual.steps
        message.sha256, message.weights = hashlib.sha256(data).hexdigest(), data
        self._weights.publish(message)

    def _publish_state(self) -> None:
        learning, learner = self._learning, self._learning.learner
        state = LearnerState(header=Header(stamp=self.get_clock().now().to_msg()))
        state.episodes, state.steps, state.updates = len(learner.taken), learner.steps, learner.updates
        state.owed, state.updates_per_s, state.success_20 = learner.owed, learning.updates_per_s(), learner.success_20
        state.critic_loss, state.value = learner.critic_loss, learner.value
        state.weights_version = max(0, learning.published)
        state.error_code, state.message = int(learning.problem.code), learning.problem.message or learning.doing
        self._state.publish(state)

    def _health(self) -> Health:
        learner, problem = self._learning.learner, self._learning.problem
        values = {
            "steps": learner.steps, "updates": learner.updates, "owed": learner.owed,
            "states_refused": learner.states_refused,
        }  # fmt: skip
        if problem.code is ErrorCode.OK:
            return Health(OK, f"{learner.updates} updates", values)
        return Health(WARN if problem.code in AWAY else ERROR, str(problem), values)

    def on_exit(self) -> None:
        """Write the state."""
        self._learning.stop()


def main(args: list[str] | None = None) -> None:
    """Learn until SIGINT or SIGTERM."""
    exit_with(run_node(LearnerNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
