"""What the project's launch files have in common: arguments, checks before anything starts, groups of nodes.

Everything here is plain `launch` and `launch_ros`.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from launch import LaunchContext
from launch.actions import EmitEvent, LogInfo, RegisterEventHandler, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import EqualsSubstitution, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from vital_bringup.launching import launch_hardware
from vital_bringup.launching.launch_arguments import Argument, given, text, unknown_argument
from vital_bringup.launching.launch_hardware import as_arguments
from vital_core.arm import arm_description
from vital_core.errors import ErrorCode, VitalError, coded
from vital_core.task import WINDOW, WRIST_VIEWS, load_task, task_names
from vital_ros.process.domain_lock import DomainLock, own_domain
from vital_ros.process.network import NETWORK, Network, chosen_network, network_settings
from vital_sim.world.variation import ALL_SETTINGS


def has_display(environment: Mapping[str, str]) -> bool:
    """Whether somebody sits before this machine who could look."""
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


# Each is a parameter of the same name of the reach node.
POINTING_ARGUMENTS: tuple[Argument, ...] = (
    (
        "pointing",
        "embedded",
        "what finds the named thing: the embedded network, a model server, or a model in the node (docs/pointing.md)",
        ("embedded", "server", "transformers"),
    ),
    ("pointing_model", "auto", "the model's name at the endpoint; or a folder, or a hub name with revision:=", None),
    ("endpoint", "http://127.0.0.1:8000/v1", "address of an OpenAI-compatible server (pointing:=server)", None),
    ("revision", "none", "commit of a model that is named by its hub name (pointing:=transformers)", None),
    ("pointing_dialect", "auto", "how the model is asked and counts; auto: by its name", None),
    ("pointing_device", "auto", "auto, cpu, cuda or cuda:N (pointing:=transformers)", None),
    ("pointing_dtype", "auto", "auto, float32, bfloat16 or float16 (pointing:=transformers)", None),
)
PLANNING_ARGUMENTS: tuple[Argument, ...] = (
    ("planner", "embedded", "what plans the reach: the embedded planner, or MoveIt 2", ("embedded", "moveit")),
    (
        "obstacles",
        "auto",
        "what is in the way: what the scene camera sees, or nothing; auto: nothing with hardware:=mock, which has no "
        "scene camera, else camera",
        ("auto", "camera", "none"),
    ),
    (
        "references",
        "auto",
        "folder with a view of each target from above, by which its yaw is told; auto: the simulated targets' with "
        "hardware:=sim, else none, and the hand keeps its yaw",
        None,
    ),
)
COMMON_ARGUMENTS: tuple[Argument, ...] = (
    (
        "hardware",
        "sim",
        "what is at the bottom: the simulator, ros2_control's mock arm, or the robot",
        ("sim", "mock", "robot"),
    ),
    ("task", "usb_insertion", f"one of {', '.join(task_names())}", None),
    ("rviz", "false", "open rviz2 (needs a ROS installation)", ("true", "false")),
    (
        "monitor",
        "true" if has_display(os.environ) else "false",
        "a page in the browser that shows everything and steers; by default where there is a display",
        ("true", "false"),
    ),
    (
        "background",
        "green",
        "simulated scene: green screen, plain table or clutter",
        ("green", "plain", "clutter"),
    ),
    (
        "setting",
        "in_domain",
        "simulated scenes: as demonstrated, targets elsewhere and turned (spatial), cluttered (scene), both, in "
        "generated looks, tilted, or at five other places among things (deployment)",
        ALL_SETTINGS,
    ),
    (
        "wrist_view",
        WINDOW,
        "what the wrist image shows: the task's window as from a sensor with more pixels, a whole fisheye of 128 "
        "pixels, or the paper's window of that; a policy that was trained on another is refused",
        WRIST_VIEWS,
    ),
    (
        "tactile",
        "auto",
        "required: nothing moves without a tactile pad that answers; none: there is no pad; auto: none with "
        "hardware:=mock without sensors, else required",
        ("auto", "required", "none"),
    ),
    ("robot_ip", "none", "address of the xArm's control box (hardware:=robot)", None),
    ("calibration", "none", "YAML with the cameras' poses (hardware:=robot)", None),
    ("mountings", "none", "YAML with since when the cameras hang there: an older calibration is refused", None),
    *launch_hardware.SENSOR_ARGUMENTS,
    *POINTING_ARGUMENTS,
    *PLANNING_ARGUMENTS,
    (
        "network",
        str(chosen_network(os.environ)),
        f"who reaches the robot over DDS: this machine alone, or everybody ({NETWORK} sets the default)",
        tuple(map(str, Network)),
    ),
    ("log_level", "warn", "of every node but the operator's", ("debug", "info", "warn", "error")),
)


def refuse(message: str) -> NoReturn:
    """End the launch before anything has started."""
    raise RuntimeError(message)


def check_arguments(
    context: LaunchContext, file: str, arguments: tuple[Argument, ...], whole_numbers: tuple[str, ...]
) -> None:
    """Refuse what cannot work before anything moves.

    file: the launch file; arguments: those that it declares; whole_numbers: names of those that are 0 or more.
    """
    try:
        load_task(text("task", context))
    except VitalError as error:
        refuse(str(error))
    for name in whole_numbers:
        value = text(name, context)
        if not value.isdigit():
            refuse(coded(ErrorCode.BAD_PARAMETER, f"{name}:={value} is not a whole number of 0 or more"))
    problem = launch_hardware.problem(context)
    if problem is None:
        names = {name for name, *_ in arguments} | launch_hardware.passed_on(context)
        problem = unknown_argument(context, file, names)
    if problem is not None:
        refuse(problem)


def launch_file_name() -> str:
    """Of the launch file that this process was started with."""
    names = [Path(argument).name for argument in sys.argv if argument.endswith(".launch.py")]
    return names[0] if names else Path(sys.argv[0]).name


def hold_domain(context: LaunchContext) -> None:
    """Take this ROS domain until the launch is over, or refuse by the name of who has it: two stacks would fight."""
    try:
        context.extend_globals({"domain_lock": DomainLock(own_domain(), launch_file_name())})
    except VitalError as error:
        refuse(str(error))


def network_actions(context: LaunchContext) -> list:
    """The environment that closes the network, or opens it, for every process that follows; the vendors' too."""
    settings = network_settings({**os.environ, NETWORK: text("network", context)})
    said = [LogInfo(msg=settings.notice)] if settings.notice else []
    return [*said, *(SetEnvironmentVariable(name, value) for name, value in settings.variables.items())]


def project_node(
    executable: str,
    package: str = "vital_bringup",
    parameters: Mapping[str, Any] | None = None,
    *,
    speaks: bool = False,
) -> Node:
    """A node of the project: quiet unless something is wrong, or one that ``speaks`` to the operator."""
    level = [] if speaks else ["--log-level", LaunchConfiguration("log_level")]
    arguments = [*level, *as_arguments(parameters or {})]
    return Node(package=package, executable=executable, output="screen" if speaks else "log", ros_arguments=arguments)


def sim_nodes(context: LaunchContext) -> list:
    """The simulator in the place of the arm and its sensors."""
    parameters = {
        "task": text("task", context),
        "seed": int(text("seed", context)),
        "background": text("background", context),
        "setting": text("setting", context),
        "wrist_view": text("wrist_view", context),
    }
    return [project_node("sim_node", "vital_sim", parameters)]


def bottom_nodes(context: LaunchContext) -> list:
    """The arm and its sensors: simulated, mock or real."""
    level = ["--log-level", LaunchConfiguration("log_level")]
    if text("hardware", context) == arm_description.MOCK:
        return launch_hardware.mock_nodes(context, level)
    if text("hardware", context) == arm_description.ROBOT:
        return launch_hardware.robot_nodes(context, level)
    return sim_nodes(context)


def reach_nodes(context: LaunchContext) -> list:
    """What is the same over every bottom: the gate, pointing and reach, the frames."""
    task = {"task": text("task", context)}
    calibration = {
        "calibration_file": given("calibration", context),
        "mounting_file": given("mountings", context),
    }
    frames = {
        **calibration,
        "hardware": text("hardware", context),
        "robot_ip": given("robot_ip", context),
    }
    nodes = [
        project_node("gate_node", "vital_control", {**task, **gate_parameters(context)}),
        project_node(
            "vlm_reach_node",
            "vital_vlm_reach",
            {**task, **calibration, **pointing_parameters(context), **planning_parameters(context)},
        ),
        project_node("frames", "vital_control", frames),
    ]
    if text("planner", context) == "moveit":
        # MoveIt holds its interpreter while it plans: a process of its own.
        nodes.append(project_node("moveit_node", "vital_vlm_reach"))
    return nodes


def pointing_parameters(context: LaunchContext) -> dict[str, str]:
    """What points, and where it is."""
    return {name: text(name, context) for name, *_ in POINTING_ARGUMENTS}


def planning_parameters(context: LaunchContext) -> dict[str, str]:
    """What plans, what tells it what is in the way, and what tells how the target is turned."""
    hardware, obstacles, references = (text(name, context) for name in ("hardware", "obstacles", "references"))
    if obstacles == "auto":
        obstacles = "none" if hardware == arm_description.MOCK else "camera"
    if references == "auto":
        # A real target is not laid onto pictures of a simulated one.
        references = "shipped" if hardware == arm_description.SIM else "none"
    return {"planner": text("planner", context), "obstacles": obstacles, "references": references}


def gate_parameters(context: LaunchContext) -> dict[str, str]:
    """What the gate must know of the bottom: only a simulator's joints may jump, only without a pad touch is none."""
    hardware, tactile = text("hardware", context), text("tactile", context)
    if tactile == "auto":
        without = hardware == arm_description.MOCK and text("mock_sensors", context) != "true"
        tactile = "none" if without else "required"
    return {"hardware": hardware, "tactile": tactile}


def viewers(context: LaunchContext) -> list[Node]:
    """What shows the stack, where it is wanted. Nothing depends on it: the launch goes on when it ends."""
    nodes = [_rviz()]
    if text("monitor", context) == "true":
        parameters = {"task": text("task", context)}
        nodes.append(project_node("monitor_node", "vital_monitor", parameters, speaks=True))
    return nodes


def _rviz() -> Node:
    rviz = PathJoinSubstitution([FindPackageShare("vital_bringup"), "rviz", "vital.rviz"])
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", rviz],
        condition=IfCondition(EqualsSubstitution(LaunchConfiguration("rviz"), "true")),
    )


def required(node: Node) -> RegisterEventHandler:
    """When this node goes, the launch ends with exit code 1: plain launch would end with 0."""

    def on_exit(event, context: LaunchContext) -> None:
        if not context.is_shutdown:
            raise RuntimeError(launch_hardware.ended_alone(event.process_name, event.returncode))

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit))


def required_nodes(nodes: list) -> list[RegisterEventHandler]:
    """`required` for every process of the project among ``nodes``."""
    return [required(n) for n in nodes if isinstance(n, Node) and n.node_executable != "spawner"]


def ends_launch(node: Node, what: str) -> RegisterEventHandler:
    """When the work of this node is over so is the launch, with an exit code that tells how it went."""

    def on_exit(event, context: LaunchContext) -> list:
        if event.returncode != 0 and not context.is_shutdown:
            raise RuntimeError(f"{what} ended with a fault, see above")
        return [EmitEvent(event=Shutdown(reason=f"{what} is over"))]

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit))
