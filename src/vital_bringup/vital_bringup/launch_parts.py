"""What the project's launch files have in common: arguments, checks before anything starts, groups of nodes.

Everything here is plain `launch` and `launch_ros`.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    IncludeLaunchDescription,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EqualsSubstitution, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from vital_core.errors import VitalError
from vital_core.task import load_task, task_names
from vital_core.urdf import urdf

# name, default, description, choices
Argument = tuple[str, str, str, tuple[str, ...] | None]
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
        "background",
        "green",
        "simulated scene: green screen, plain table or clutter",
        ("green", "plain", "clutter"),
    ),
    ("robot_ip", "", "address of the xArm's control box (hardware:=robot)", None),
    ("calibration", "", "YAML with the cameras' poses (hardware:=robot)", None),
    ("log_level", "warn", "of every node but the operator's", ("debug", "info", "warn", "error")),
)


def declared(arguments: tuple[Argument, ...]) -> list[DeclareLaunchArgument]:
    """The actions that declare launch arguments."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in arguments
    ]


def text(name: str, context: LaunchContext) -> str:
    """The value of a launch argument."""
    return LaunchConfiguration(name).perform(context)


def refuse(message: str) -> None:
    """End the launch before anything has started."""
    raise RuntimeError(message)


def check_arguments(context: LaunchContext, whole_numbers: tuple[str, ...]) -> None:
    """Refuse what cannot work before anything moves; ``whole_numbers`` names the arguments of 0 or more."""
    try:
        load_task(text("task", context))
    except VitalError as error:
        refuse(str(error))
    for name in whole_numbers:
        value = text(name, context)
        if not value.isdigit():
            refuse(f"[BAD_PARAMETER 11] {name}:={value} is not a whole number of 0 or more")
    if text("hardware", context) == "robot":
        if not text("robot_ip", context):
            refuse("[BAD_PARAMETER 11] hardware:=robot needs robot_ip:=<address of the control box>")
        if not Path(text("calibration", context)).is_file():
            refuse("[NO_CALIBRATION 27] hardware:=robot needs calibration:=<file with the cameras' poses>")
    needed = {"mock": ["controller_manager"], "robot": ["xarm_moveit_config", "realsense2_camera", "vital_perception"]}
    packages = needed.get(text("hardware", context), []) + ["rviz2"] * (text("rviz", context) == "true")
    for package in packages:
        try:
            get_package_share_directory(package)
        except PackageNotFoundError:
            refuse(
                f"[BAD_PARAMETER 11] this needs the ROS package '{package}': install ROS 2 Jazzy with it and source it"
            )


def project_node(executable: str, package: str = "vital_bringup", **options) -> Node:
    """A node of the project: quiet unless something is wrong, required for the whole."""
    level = ["--log-level", LaunchConfiguration("log_level")]
    return Node(package=package, executable=executable, output="log", ros_arguments=level, **options)


def sim_nodes() -> list:
    """The simulator in the place of the arm and its sensors."""
    parameters = {
        "task": LaunchConfiguration("task"),
        "seed": ParameterValue(LaunchConfiguration("seed"), value_type=int),
        "background": LaunchConfiguration("background"),
    }
    return [project_node("sim_node", "vital_sim", parameters=[parameters])]


def mock_nodes() -> list:
    """ros2_control with mock components: the motion path without an arm; sensors are whatever is connected."""
    controllers = PathJoinSubstitution([FindPackageShare("vital_bringup"), "config", "mock_controllers.yaml"])
    description = {"robot_description": ParameterValue(urdf(ros2_control="mock"), value_type=str)}
    names = ["joint_state_broadcaster", "xarm7_traj_controller"]
    return [
        Node(
            package="controller_manager",
            executable="ros2_control_node",
            parameters=[description, controllers],
        ),
        Node(
            package="controller_manager",
            executable="spawner",
            arguments=[*names, "--param-file", controllers],
        ),
    ]


def robot_nodes() -> list:
    """The vendor's arm and camera launch files, and the project's own sensor nodes."""

    def included(package: str, file: str, arguments: dict) -> GroupAction:
        source = PythonLaunchDescriptionSource(PathJoinSubstitution([FindPackageShare(package), "launch", file]))
        return GroupAction([IncludeLaunchDescription(source, launch_arguments=arguments.items())])

    sensors = PathJoinSubstitution([FindPackageShare("vital_bringup"), "config", "robot_sensors.yaml"])
    arm = {"robot_ip": LaunchConfiguration("robot_ip"), "add_gripper": "true"}
    camera = {"align_depth.enable": "true", "enable_sync": "true", "rgb_camera.color_profile": "640x480x30"}
    return [
        included("xarm_moveit_config", "xarm7_moveit_realmove.launch.py", arm),
        included("realsense2_camera", "rs_launch.py", camera),
        project_node("anyskin", "vital_perception", parameters=[sensors]),
        project_node("wrist_camera", "vital_perception", parameters=[sensors]),
    ]


def bottom_nodes(context: LaunchContext) -> list:
    """The arm and its sensors: simulated, mock or real."""
    return {"sim": sim_nodes, "mock": mock_nodes, "robot": robot_nodes}[text("hardware", context)]()


def reach_nodes(context: LaunchContext) -> list:
    """What is the same over every bottom: the gate, pointing and reach, the frames."""
    task = {"task": LaunchConfiguration("task")}
    calibration = {"calibration_file": text("calibration", context)}
    return [
        project_node("gate_node", "vital_control", parameters=[task]),
        project_node("vlm_reach_node", "vital_vlm_reach", parameters=[task]),
        project_node("frames", parameters=[calibration]),
    ]


def viewer() -> Node:
    """rviz2, where it was asked for."""
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
            raise RuntimeError(
                f"[NODE_LOST 50] {event.process_name} ended with exit code {event.returncode}: the system is not whole"
            )

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
