"""One sentence in, one skill out.

    ros2 launch vital_bringup deploy.launch.py task:=usb_insertion trials:=3

Brings up the arm and its sensors (simulated, mock or real), the command gate, the local policy, pointing and
reach, and the task server; runs `trials` trials and ends by itself. Exit code 0 when every trial completed its
phases, 1 on a fault. With trials:=0 the system stays up and waits for goals on /vital/run_task.
"""

import time
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
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

ARGUMENTS = (
    (
        "hardware",
        "sim",
        "what is at the bottom: the simulator, ros2_control's mock arm, or the robot",
        ("sim", "mock", "robot"),
    ),
    ("task", "usb_insertion", f"one of {', '.join(task_names())}", None),
    ("prompt", "", "the sentence; empty: the task's own", None),
    ("trials", "1", "how many trials; 0: stay up and wait for goals on /vital/run_task", None),
    ("seed", "1000", "of the first trial's scene and start pose; counts up", None),
    ("report", "auto", "JSON report; auto: reports/<task>-<time>.json here; empty: none", None),
    ("record", "", "folder for a video of the run; empty: none", None),
    ("rviz", "false", "open rviz2 (needs a ROS installation)", ("true", "false")),
    (
        "background",
        "green",
        "simulated scene: green screen, plain table or clutter",
        ("green", "plain", "clutter"),
    ),
    (
        "checkpoint_dir",
        "",
        "folder with <task>.safetensors; empty: the checkpoints shipped with vital_policy",
        None,
    ),
    ("robot_ip", "", "address of the xArm's control box (hardware:=robot)", None),
    ("calibration", "", "YAML with the cameras' poses (hardware:=robot)", None),
    ("log_level", "warn", "of every node but the operator's", ("debug", "info", "warn", "error")),
)


def text(name: str, context: LaunchContext) -> str:
    """The value of a launch argument."""
    return LaunchConfiguration(name).perform(context)


def refuse(message: str) -> None:
    """End the launch before anything has started."""
    raise RuntimeError(message)


def check_arguments(context: LaunchContext) -> None:
    """Refuse what cannot work before anything moves."""
    try:
        load_task(text("task", context))
    except VitalError as error:
        refuse(str(error))
    for name in ("trials", "seed"):
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


def report_path(context: LaunchContext) -> str:
    """Where the report goes, absolute; empty for none."""
    path = text("report", context)
    if path == "auto":
        path = f"reports/{text('task', context)}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    return str(Path(path).absolute()) if path else ""


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


def brain_nodes(context: LaunchContext) -> list:
    """What is the same over every bottom."""
    simulated = text("hardware", context) == "sim"
    task = {"task": LaunchConfiguration("task")}
    policy = {"checkpoint_dir": text("checkpoint_dir", context)} if text("checkpoint_dir", context) else {}
    calibration = {"calibration_file": text("calibration", context)}
    # Checking a whole trajectory can keep the gate from its joint states for longer than the gate's own default.
    gate = {"max_joint_state_age_s": 0.6}
    return [
        project_node("gate_node", "vital_control", parameters=[{**task, **gate}]),
        project_node("policy_node", "vital_policy", parameters=[{**task, **policy}]),
        project_node("vlm_reach_node", "vital_vlm_reach", parameters=[task]),
        project_node("task_server", parameters=[{"labeller": "sim_truth" if simulated else "operator"}]),
        project_node("frames", parameters=[calibration]),
    ]


def deploy_node(context: LaunchContext) -> Node:
    """The client that runs the trials and talks to the operator."""
    parameters = {
        "task": LaunchConfiguration("task"),
        "prompt": ParameterValue(LaunchConfiguration("prompt"), value_type=str),
        "trials": ParameterValue(LaunchConfiguration("trials"), value_type=int),
        "seed": ParameterValue(LaunchConfiguration("seed"), value_type=int),
        "hardware": LaunchConfiguration("hardware"),
        "report": report_path(context),
    }
    return Node(package="vital_bringup", executable="deploy", output="screen", parameters=[parameters])


def required(node: Node) -> RegisterEventHandler:
    """When this node goes, the launch ends with exit code 1: plain launch would end with 0."""

    def on_exit(event, context: LaunchContext) -> None:
        if not context.is_shutdown:
            raise RuntimeError(
                f"[NODE_LOST 50] {event.process_name} ended with exit code {event.returncode}: the system is not whole"
            )

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit))


def ends_launch(node: Node) -> RegisterEventHandler:
    """When the trials are over so is the launch, with an exit code that tells how they went."""

    def on_exit(event, context: LaunchContext) -> list:
        if event.returncode != 0 and not context.is_shutdown:
            raise RuntimeError("the deployment ended with a fault, see above")
        return [EmitEvent(event=Shutdown(reason="the trials are over"))]

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit))


def setup(context: LaunchContext) -> list:
    """Everything that depends on the arguments' values."""
    check_arguments(context)
    bottom = {"sim": sim_nodes, "mock": mock_nodes, "robot": robot_nodes}[text("hardware", context)]()
    nodes = [*bottom, *brain_nodes(context)]
    if text("record", context):
        directory = str(Path(text("record", context)).absolute())
        nodes.append(project_node("run_video", parameters=[{"directory": directory}]))
    rviz = PathJoinSubstitution([FindPackageShare("vital_bringup"), "rviz", "vital.rviz"])
    viewer = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", rviz],
        condition=IfCondition(EqualsSubstitution(LaunchConfiguration("rviz"), "true")),
    )
    # Handlers come first: a process that ends at once must find them in place.
    own = [n for n in nodes if isinstance(n, Node) and n.node_executable != "spawner"]
    actions = [*(required(n) for n in own), *nodes, viewer]
    if text("trials", context) != "0":
        trials = deploy_node(context)
        actions += [ends_launch(trials), trials]
    return actions


def generate_launch_description() -> LaunchDescription:
    """The launch description."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=setup)])
