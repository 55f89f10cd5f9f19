from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from geometry_msgs.msg import PoseStamped
from moveit.core.planning_interface import MotionPlanResponse
from moveit.core.planning_scene import PlanningScene
from moveit.core.robot_state import RobotState
from moveit_msgs.msg import Constraints

class MoveItPy:
    def __init__(
        self,
        node_name: str = "moveit_py",
        name_space: str = "",
        launch_params_filepaths: Sequence[str] = ...,
        config_dict: Mapping[str, Any] | None = None,
        provide_planning_service: bool = True,
    ) -> None: ...
    def get_planning_component(self, planning_component_name: str) -> PlanningComponent: ...
    def get_planning_scene_monitor(self) -> PlanningSceneMonitor: ...
    def shutdown(self) -> None: ...

class PlanningSceneMonitor:
    def read_write(self) -> LockedPlanningSceneContextManagerRW: ...

class LockedPlanningSceneContextManagerRW:
    def __enter__(self) -> PlanningScene: ...
    def __exit__(
        self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

class PlanRequestParameters:
    planner_id: str
    planning_pipeline: str
    planning_attempts: int
    planning_time: float
    max_velocity_scaling_factor: float
    max_acceleration_scaling_factor: float
    def __init__(self, moveit_cpp: MoveItPy, ns: str, /) -> None: ...

class PlanningComponent:
    def set_start_state(self, configuration_name: str | None = None, robot_state: RobotState | None = None) -> bool: ...
    def set_goal_state(
        self,
        configuration_name: str | None = None,
        robot_state: RobotState | None = None,
        pose_stamped_msg: PoseStamped | None = None,
        pose_link: str | None = None,
        motion_plan_constraints: Sequence[Constraints] | None = None,
    ) -> bool: ...
    def plan(
        self,
        single_plan_parameters: PlanRequestParameters | None = None,
        multi_plan_parameters: Any = None,
        planning_scene: PlanningScene | None = None,
        solution_selection_function: Any = None,
        stopping_criterion_callback: Any = None,
    ) -> MotionPlanResponse: ...
