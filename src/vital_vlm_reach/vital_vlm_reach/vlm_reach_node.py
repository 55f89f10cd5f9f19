"""Localisation and reach as a ROS node: `/vital/localize_target` and `/vital/reach_target`.

Pointing and planning have threads of their own; camera and joint states are heard only while they are needed.
"""

from typing import Any, TypeAlias

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from tf2_msgs.msg import TFMessage

from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_interfaces.action import ReachTarget
from vital_interfaces.srv import LocalizeTarget
from vital_ros.boundary import refusals_of, serve, subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.expiry import check_in_time
from vital_ros.message_check import sound
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_vlm_reach.arm_calls import GateCalls, JointReadings
from vital_vlm_reach.background import Work, in_background
from vital_vlm_reach.localisation.camera_view import CameraView
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.localisation.localization import Located, localize
from vital_vlm_reach.planning.droppable_planner import DroppablePlanner
from vital_vlm_reach.planning.planners import make_planner
from vital_vlm_reach.pointing import PointingModel
from vital_vlm_reach.pointing.backends import PointingSettings, backend, given
from vital_vlm_reach.reach_messages import point_of, transforms_of
from vital_vlm_reach.reach_parameters import ReachParameters
from vital_vlm_reach.reach_run import ReachOutcome, ReachRun
from vital_vlm_reach.request_answers import fill_located, reach_result

LATCHED = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
JOIN_S = 1.0
Answer: TypeAlias = LocalizeTarget.Response


class VlmReachNode(Node):
    """See the module's docstring. pointing: instead of the model that the parameter names."""

    def __init__(self, pointing: PointingModel | None = None, **options: Any) -> None:
        super().__init__("vlm_reach_node", **options)
        self._given = declare(self, ReachParameters)
        self._task = load_task(self._given.task)
        chosen = declare(self, PointingSettings)
        self._pointing = backend(chosen) if pointing is None else given(pointing)
        self._pointing.begin()
        self._planner = DroppablePlanner(make_planner(self._given.planner, self, self._given.speed_scale))
        self._frames = FixedFrames()
        self._gate = GateCalls(self)
        self._run: ReachRun | None = None
        self._run_id = b""
        self._work: Work | None = None
        self._counts = {"localized": 0, "not_localized": 0, "reached": 0, "not_reached": 0}
        self._last, self._level = "nothing asked yet", OK
        subscribe(self, TFMessage, "/tf_static", self._on_frames, LATCHED, read=transforms_of)
        # A request that awaits something would keep everything else in its group from running.
        requests = ReentrantCallbackGroup()
        serve(self, LocalizeTarget, "/vital/localize_target", self._on_localize, callback_group=requests)
        self._server = ActionServer(
            self, ReachTarget, "/vital/reach_target", self._execute, goal_callback=self._judge_goal,
            cancel_callback=self._on_cancel, callback_group=requests,
        )  # fmt: skip
        self._diagnostics = Diagnostics(self, self._health)
        self.get_logger().info(f"ready: pointing with {chosen.told()}, planning {self._given.planner}")

    def _health(self) -> Health:
        pointing, level, message = self._pointing.health, self._level, self._last
        if not pointing.well:
            level, message = WARN, f"pointing: {pointing.last_fault}"
        return Health(level, message, {**self._counts, **pointing.values()})

    def _on_frames(self, transforms: list[tuple[str, str, Pose]]) -> None:
        self._frames.take(transforms)

    def _judge_goal(self, goal: ReachTarget.Goal) -> GoalResponse:
        try:
            sound(goal)
        except VitalError as error:
            refusals_of(self).note("/vital/reach_target", error)
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    async def _on_localize(self, request: LocalizeTarget.Request, response: Answer) -> Answer:
        try:
            located = await self._look(request.prompt)
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
            self._note("not_localized", str(error), WARN)
            return response
        fill_located(response, located, self.get_clock().now().to_msg())
        self._note("localized", f"'{request.prompt}': {located.message}", OK)
        return response

    async def _look(self, prompt: str) -> Located:
        view = CameraView(self, self._given.camera_timeout_s)
        try:
            await view.arrived
        finally:
            view.close()
        px = self._given.depth_window_px
        work = in_background(self, lambda: localize(prompt, view.read(), self._pointing, self._frames, window_px=px))
        return (await work.done)()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._run is not None and bytes(handle.goal_id.uuid) == self._run_id:
            self._run.cancel()
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> ReachTarget.Result:
        try:
            outcome = await self._reach(handle)
        except VitalError as error:
            outcome = ReachOutcome(error.code, error.message)
        succeeded = outcome.code is ErrorCode.OK
        if succeeded:
            handle.succeed()
        elif outcome.code is ErrorCode.CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        told = outcome.message if succeeded else str(VitalError(outcome.code, outcome.message))
        self._note("reached" if succeeded else "not_reached", told, OK if succeeded else WARN)
        return reach_result(outcome, self.get_clock().now().to_msg())

    async def _reach(self, handle: ServerGoalHandle) -> ReachOutcome:
        goal = handle.request
        check_in_time(self, goal.valid_until)
        if self._run is not None:
            raise VitalError(ErrorCode.BUSY, "a reach is under way: wait for it or cancel it")
        task = load_task(goal.task) if goal.task else self._task
        target_m = point_of(goal.point)
        joints = JointReadings(self)
        run = self._run = ReachRun(self._planner, self._gate, joints)
        self._run_id = bytes(handle.goal_id.uuid)
        if handle.is_cancel_requested:
            run.cancel()

        def tell(phase: str, progress: float) -> None:
            if handle.is_active:
                handle.publish_feedback(ReachTarget.Feedback(phase=phase, progress=progress))

        try:
            self._work = in_background(self, lambda: run.run(task, target_m, int(goal.seed), tell))
            return (await self._work.done)()
        finally:
            self._run = None
            joints.close()

    def _note(self, counter: str, text: str, level: int) -> None:
        self._counts[counter] += 1
        self._last, self._level = text, level
        # Each severity needs a call of its own: rclpy refuses one that changes it.
        self.get_logger().info(text) if level == OK else self.get_logger().warning(text)

    def on_exit(self) -> None:
        """Call off a reach under way."""
        if self._run is not None and self._work is not None:
            self._run.cancel()
            self._work.thread.join(JOIN_S)


def main(args: list[str] | None = None) -> None:
    """Run the node until SIGINT or SIGTERM."""
    exit_with(run_node(VlmReachNode, args=args))


if __name__ == "__main__":
    main()
