"""The two services an episode needs: a fresh tactile baseline, and control of the arm."""

from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_core.owner import Owner
from vital_interfaces.srv import TakeBaseline
from vital_ros.arm_control import ANSWER_S, ArmControl
from vital_ros.calls import Question, call, never


class EpisodeServices(ArmControl):
    """Blocking calls for the episode's thread; the executor runs in another."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, Owner.POLICY)
        self._baseline = node.create_client(TakeBaseline, "/anyskin/take_baseline")

    def take_baseline(self, abandon: Question = never) -> int:
        """Id of the new baseline. Raises VitalError when there is none, CANCELLED once ``abandon`` says so."""
        answer = call(self._baseline, TakeBaseline.Request(), timeout_s=ANSWER_S, abandon=abandon)
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.SENSOR_FAULT), answer.message)
        return int(answer.baseline_id)
