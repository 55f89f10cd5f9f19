"""MoveIt as a ROS node: `/vital/plan_reach`.

A process of its own, because MoveIt's call holds the interpreter for as long as it plans.
"""

from typing import Any, Protocol

from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from vital_core.errors import VitalError
from vital_interfaces.srv import PlanReach
from vital_ros.boundary import serve
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.process.node_main import exit_with, run_node
from vital_vlm_reach.moveit.moveit_arm import MoveItArm


class Arm(Protocol):
    """What plans: MoveIt."""

    def plan(self, request: PlanReach.Request) -> JointTrajectory:
        """See `MoveItArm.plan`."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class MoveItNode(Node):
    """See the module's docstring. arm: in the place of MoveIt, for tests."""

    def __init__(self, arm: Arm | None = None, **options: Any) -> None:
        super().__init__("moveit_node", **options)
        self._arm = MoveItArm() if arm is None else arm
        self._counts = {"planned": 0, "not_planned": 0}
        self._last, self._level = "nothing asked yet", OK
        serve(self, PlanReach, "/vital/plan_reach", self._plan)
        self._diagnostics = Diagnostics(self, lambda: Health(self._level, self._last, self._counts))
        self.get_logger().info("ready: MoveIt plans for group xarm7, nothing is executed")

    def _plan(self, request: PlanReach.Request, response: PlanReach.Response) -> PlanReach.Response:
        try:
            response.trajectory = self._arm.plan(request)
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
            self._note("not_planned", str(error), WARN)
            return response
        response.success = True
        self._note("planned", f"{len(response.trajectory.points)} points", OK)
        return response

    def _note(self, counter: str, text: str, level: Any) -> None:
        self._counts[counter] += 1
        self._last, self._level = text, level
        self.get_logger().info(text)

    def on_exit(self) -> None:
        """End MoveIt's node too."""
        self._arm.close()


def main(args: list[str] | None = None) -> None:
    """Run the node until SIGINT or SIGTERM."""
    exit_with(run_node(MoveItNode, args=args))


if __name__ == "__main__":
    main()
