"""Localisation and reach as a ROS node: `/vital/localize_target` and `/vital/reach_target`.

Pointing and planning have threads of their own; camera and joint states are heard only while they are needed.
"""

from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_interfaces.action import ReachTarget
from vital_interfaces.srv import LocalizeTarget
from vital_ros.boundary import refusals_of, serve, subscribe
from vital_ros.diagnostics import Diagnostics, Health
from vital_ros.expiry import check_in_time
from vital_ros.message_check import sound
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import FRAMES
from vital_ros.target_message import target_of
from vital_vlm_reach.arm_calls import GateCalls, JointReadings
from vital_vlm_reach.background import Work, in_background
from vital_vlm_reach.localisation.calibrated_frames import CalibratedFrames
from vital_vlm_reach.localize_answers import LocalizeAnswers
from vital_vlm_reach.obstacles.scene_look import chosen_look
from vital_vlm_reach.planning.droppable_planner import DroppablePlanner
from vital_vlm_reach.planning.planners import make_planner
from vital_vlm_reach.pointing import PointingModel
from vital_vlm_reach.pointing.backends import PointingSettings, backend, given
from vital_vlm_reach.reach_answers import end_goal, reach_result
from vital_vlm_reach.reach_journal import ReachJournal
from vital_vlm_reach.reach_messages import transforms_of
from vital_vlm_reach.reach_outcome import ReachOutcome
from vital_vlm_reach.reach_parameters import ReachParameters
from vital_vlm_reach.reach_run import ReachRun

JOIN_S = 1.0


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
        self._frames = CalibratedFrames(self._given.calibration_file, self._given.mounting_file)
        self._gate = GateCalls(self)
        self._look = chosen_look(self, self._frames, self._given.obstacles, self._given.camera_timeout_s)
        self._run: ReachRun | None = None
        self._run_id = b""
        self._work: Work | None = None
        self._journal = ReachJournal(self)
        subscribe(self, TFMessage, "/tf_static", self._on_frames, FRAMES, read=transforms_of)
        # A request that awaits something would keep everything else in its group from running.
        requests = ReentrantCallbackGroup()
        answer = LocalizeAnswers(self, self._given, self._pointing, self._frames, self._journal).answer
        serve(self, LocalizeTarget, "/vital/localize_target", answer, callback_group=requests)
        self._server = ActionServer(
            self, ReachTarget, "/vital/reach_target", self._execute, goal_callback=self._judge_goal,
            cancel_callback=self._on_cancel, callback_group=requests,
        )  # fmt: skip
        self._diagnostics = Diagnostics(self, self._health)
        self.get_logger().info(
            f"ready: pointing with {chosen.told()}, planning {self._given.planner}, obstacles {self._given.obstacles}"
        )

    def _health(self) -> Health:
        pointing = self._pointing.health
        values = {**pointing.values(), "calibration": self._frames.told()}
        return self._journal.health("" if pointing.well else pointing.last_fault, values)

    def _on_frames(self, transforms: list[tuple[str, str, Pose]]) -> None:
        self._frames.take(transforms)

    def _judge_goal(self, goal: ReachTarget.Goal) -> GoalResponse:
        try:
            sound(goal)
        except VitalError as error:
            refusals_of(self).note("/vital/reach_target", error)
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._run is not None and bytes(handle.goal_id.uuid) == self._run_id:
            self._run.cancel()
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> ReachTarget.Result:
        try:
            outcome = await self._reach(handle)
        except VitalError as error:
            outcome = ReachOutcome(error.code, error.message)
        end_goal(handle, outcome)
        if outcome.code is ErrorCode.OK:
            self._journal.well("reached", outcome.message)
        else:
            self._journal.failed("not_reached", str(VitalError(outcome.code, outcome.message)))
        return reach_result(outcome, self._frames.figures(), self.get_clock().now().to_msg())

    async def _reach(self, handle: ServerGoalHandle) -> ReachOutcome:
        goal = handle.request
        check_in_time(self, goal.valid_until)
        if self._run is not None:
            raise VitalError(ErrorCode.BUSY, "a reach is under way: wait for it or cancel it")
        self._frames.check()
        task = load_task(goal.task) if goal.task else self._task
        target = target_of(goal.target)
        joints = JointReadings(self)
        run = self._run = ReachRun(self._planner, self._gate, joints, self._look, self._journal.planned)
        self._run_id = bytes(handle.goal_id.uuid)
        if handle.is_cancel_requested:
            run.cancel()

        def tell(phase: str, progress: float) -> None:
            if handle.is_active:
                handle.publish_feedback(ReachTarget.Feedback(phase=phase, progress=progress))

        try:
            self._work = in_background(self, lambda: run.run(task, target, int(goal.seed), tell))
            return (await self._work.done)()
        finally:
            self._run = None
            joints.close()

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
