"""`moveit.planning` with the embedded planner behind it. `asked` and the file in MOVEIT_ASKED keep what was asked.

Strict where MoveIt is: unknown names, states that were not updated and goals without a link are errors.
An obstacle named `fail N` makes the plan end with MoveIt's error code N.
"""

import copy
import json
import os
from types import SimpleNamespace

import numpy as np

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner
from vital_vlm_reach.planning.planner import ReachProblem
from vital_vlm_reach.planning.robot_model import Obstacle
from vital_vlm_reach.reach_messages import trajectory_message

GROUP, FAR_AWAY = "xarm7", np.array([2.0, 2.0, 0.03])
asked: list[dict] = []


class MoveItPy:
    def __init__(
        self, node_name="moveit_py", name_space="", launch_params_filepaths=(), config_dict=None,
        provide_planning_service=True,
    ):  # fmt: skip
        assert config_dict is not None and config_dict["planning_pipelines"]["pipeline_names"]
        self.config = config_dict
        self.scene = PlanningScene()
        asked.append({"node": node_name, "parameters": sorted(config_dict)})

    def get_planning_component(self, planning_component_name):
        return PlanningComponent(planning_component_name, self)

    def get_planning_scene_monitor(self):
        return PlanningSceneMonitor(self.scene)

    def shutdown(self):
        pass


class PlanningSceneMonitor:
    def __init__(self, scene):
        self._scene = scene

    def read_write(self):
        return Locked(self._scene)


class Locked:
    def __init__(self, scene):
        self._scene = scene

    def __enter__(self):
        return self._scene

    def __exit__(self, type_, value, traceback):
        return None


class RobotState:
    def __init__(self):
        self.positions, self.attached, self.dirty = np.zeros(7), {}, False

    def set_joint_group_positions(self, joint_model_group_name, position_values):
        assert joint_model_group_name == GROUP and np.shape(position_values) == (7,)
        self.positions, self.dirty = np.array(position_values, float), True

    def update(self, force=False, type="all"):
        self.dirty = False


class PlanningScene:
    def __init__(self):
        self.objects, self._state = {}, RobotState()

    @property
    def current_state(self):
        return self._state

    def remove_all_collision_objects(self):
        self.objects.clear()

    def apply_collision_object(self, collision_object_msg, color_msg=None):
        assert collision_object_msg.header.frame_id == "link_base"
        self.objects[collision_object_msg.id] = collision_object_msg

    def process_attached_collision_object(self, object):
        self._state.attached[object.object.id] = object
        return True


class PlanRequestParameters:
    def __init__(self, moveit_cpp, ns, /):
        given = moveit_cpp.config[f"{ns}.plan_request_params" if ns else "plan_request_params"]
        for name, value in given.items():
            setattr(self, name, value)


class PlanningComponent:
    def __init__(self, group, moveit):
        assert f'group name="{group}"' in moveit.config["robot_description_semantic"]
        self._moveit = moveit

    def set_start_state(self, configuration_name=None, robot_state=None):
        assert robot_state is not None and not robot_state.dirty, "the state was not updated"
        self._start = copy.deepcopy(robot_state)
        return True

    def set_goal_state(
        self, configuration_name=None, robot_state=None, pose_stamped_msg=None, pose_link=None,
        motion_plan_constraints=None,
    ):  # fmt: skip
        if (pose_stamped_msg is None) != (pose_link is None):
            raise ValueError("Must specify both message and corresponding link")
        self._goal, self._link = pose_stamped_msg, pose_link
        return True

    def plan(
        self, single_plan_parameters=None, multi_plan_parameters=None, planning_scene=None,
        solution_selection_function=None, stopping_criterion_callback=None,
    ):  # fmt: skip
        self._note(single_plan_parameters)
        objects = self._moveit.scene.objects
        failing = [int(name.split()[1]) for name in objects if name.startswith("fail ")]
        if failing:
            return Response(failing[0])
        try:
            plan = EmbeddedPlanner(single_plan_parameters.max_velocity_scaling_factor).plan(self._problem(objects))
        except VitalError as error:
            return Response({ErrorCode.IN_COLLISION: -12, ErrorCode.UNREACHABLE: -31}.get(error.code, -1))
        return Response(1, trajectory_message(plan.motion))

    def _problem(self, objects):
        p, o = self._goal.pose.position, self._goal.pose.orientation
        goal = pose_of.from_quaternion((p.x, p.y, p.z), (o.x, o.y, o.z, o.w))
        boxes = []
        for message in objects.values():
            at, size = message.primitive_poses[0].position, message.primitives[0].dimensions
            boxes.append(Obstacle(message.id, (at.x, at.y, at.z), tuple(size)))
        task = load_task("usb_insertion")
        return ReachProblem(task, self._start.positions, goal, FAR_AWAY, 0, tuple(boxes))

    def _note(self, parameters):
        held = next(iter(self._start.attached.values()))
        asked.append(
            {
                "start": dict(zip(JOINT_NAMES, self._start.positions.tolist(), strict=True)),
                "held": [held.link_name, held.object.id, list(held.object.primitives[0].dimensions), held.touch_links],
                "objects": sorted(self._moveit.scene.objects),
                "goal": [self._goal.header.frame_id, self._link],
                "time_s": parameters.planning_time,
                "scaling": [parameters.max_velocity_scaling_factor, parameters.max_acceleration_scaling_factor],
                "planner": [parameters.planning_pipeline, parameters.planner_id],
            }
        )
        if path := os.environ.get("MOVEIT_ASKED"):
            with open(path, "a") as file:
                file.write(json.dumps(asked[-1]) + "\n")


class Response:
    def __init__(self, code, trajectory=None):
        self.error_code = SimpleNamespace(val=code)
        message = SimpleNamespace(joint_trajectory=trajectory)
        self.trajectory = SimpleNamespace(get_robot_trajectory_msg=lambda joint_filter=(): message)

    def __bool__(self):
        return self.error_code.val == 1
