"""Takes the learner's weights as they come, and nothing that does not fit."""

import hashlib

from rclpy.node import Node

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import ResidualWeights
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.residual.residual import from_bytes
from vital_ros.boundary import subscribe
from vital_ros.qos import LATCHED

TOPIC = "/vital/residual_weights"


class WeightsInbox:
    """Gives `policy` each newer residual that comes on `/vital/residual_weights`; what is refused changes nothing."""

    def __init__(self, node: Node, policy: ResidualPolicy) -> None:
        self._node, self._policy = node, policy
        self.refused, self.problem = 0, ""
        self._taken_s: float | None = None
        subscribe(node, ResidualWeights, TOPIC, self._on_weights, LATCHED)

    @property
    def ready(self) -> bool:
        """Whether any have come."""
        return self._taken_s is not None

    def check_ready(self) -> None:
        """Raises VitalError(NO_CHECKPOINT) before any have come."""
        if not self.ready:
            raise VitalError(ErrorCode.NO_CHECKPOINT, "no learner has sent weights yet: is the learner node running?")

    @property
    def age_s(self) -> float:
        """Since the newest came; NaN before the first."""
        return float("nan") if self._taken_s is None else steady_s() - self._taken_s

    def _on_weights(self, message: ResidualWeights) -> None:
        try:
            self.take(message)
        except VitalError as error:
            self.refused, self.problem = self.refused + 1, str(error)
            self._node.get_logger().error(str(error))

    def take(self, message: ResidualWeights) -> None:
        """Raises VitalError(BAD_CHECKPOINT): a wrong hash, another architecture or base policy, an older version."""
        data = bytes(message.weights)
        digest = hashlib.sha256(data).hexdigest()
        if digest != message.sha256:
            raise VitalError(
                ErrorCode.BAD_CHECKPOINT,
                f"weights {message.version} have the hash {digest[:12]}, expected {message.sha256[:12]}: dropped",
            )
        residual = from_bytes(data, self._policy.checkpoint, f"version {message.version}")
        now = self._policy.residual
        if self.ready and now is not None and residual.version < now.version:
            raise VitalError(
                ErrorCode.BAD_CHECKPOINT,
                f"weights {residual.version} are older than {now.version}, which are in use: dropped",
            )
        self._policy.residual = residual
        self._taken_s, self.problem = steady_s(), ""
