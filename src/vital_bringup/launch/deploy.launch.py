"""One sentence in, one skill out.

    ros2 launch vital_bringup deploy.launch.py task:=usb_insertion trials:=3

Brings up the arm and its sensors (simulated, mock or real), the command gate, the local policy, pointing and
reach, and the task server; runs `trials` trials and ends by itself. Exit code 0 when every trial completed its
phases, 1 on a fault. With trials:=0 the system stays up and waits for goals on /vital/run_task.
"""

import time
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from vital_bringup.launching import launch_parts as parts
from vital_bringup.launching.launch_arguments import Argument, declared, given, text
from vital_bringup.launching.launch_parts import project_node
from vital_core.arm.arm_description import SIM
from vital_core.errors import ErrorCode, VitalError, coded
from vital_core.files.safe_file import check_writable
from vital_core.labeller import AUTO, choose_labeller

ARGUMENTS: tuple[Argument, ...] = (
    *parts.COMMON_ARGUMENTS,
    ("prompt", "auto", "the sentence; auto: the task's own", None),
    ("trials", "1", "how many trials; 0: stay up and wait for goals on /vital/run_task", None),
    ("seed", "1000", "of the first trial's scene and start pose; counts up", None),
    ("report", "auto", "JSON report; auto: reports/<task>-<time>.json here; none", None),
    ("record", "none", "folder for a video of the run", None),
    (
        "record_view",
        "camera",
        "what the video shows: the scene camera's images, or with hardware:=sim pictures for people, with the arm's "
        "meshes, a table and shadows, which cost up to two fifths of a core",
        ("camera", "show"),
    ),
    (
        "checkpoint_dir",
        "auto",
        "folder with <task>.safetensors; auto: the checkpoints shipped with vital_policy",
        None,
    ),
)


def report_path(context: LaunchContext) -> str:
    """Where the report goes, absolute; empty for none."""
    path = given("report", context)
    if text("report", context) == "auto":
        path = f"reports/{text('task', context)}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    return str(Path(path).absolute()) if path else ""


def video_folder(context: LaunchContext) -> str:
    """Where the video goes, absolute; empty for none."""
    folder = given("record", context)
    return str(Path(folder).absolute()) if folder else ""


def check_files(context: LaunchContext) -> None:
    """Refuse, before anything moves, what could not be written when the trials are over."""
    report, folder = report_path(context), video_folder(context)
    try:
        if report and text("trials", context) != "0":
            check_writable(Path(report), f"report:={text('report', context)}")
        if folder:
            check_writable(Path(folder) / "run.mp4", f"record:={text('record', context)}")
    except VitalError as error:
        parts.refuse(str(error))


def skill_nodes(context: LaunchContext) -> list:
    """The local policy, and the task server that puts the skills together."""
    labeller = choose_labeller(AUTO, simulated=text("hardware", context) == SIM)
    checkpoints = given("checkpoint_dir", context)
    policy = {"task": text("task", context), "wrist_view": text("wrist_view", context)}
    if checkpoints:
        policy["checkpoint_dir"] = checkpoints
    return [
        project_node("policy_node", "vital_rl", policy),
        project_node("task_server", parameters={"labeller": str(labeller)}),
    ]


def deploy_node(context: LaunchContext) -> Node:
    """The client that runs the trials and talks to the operator."""
    parameters = {
        "task": text("task", context),
        "prompt": given("prompt", context),
        "trials": int(text("trials", context)),
        "seed": int(text("seed", context)),
        "hardware": text("hardware", context),
        "pointing": text("pointing", context),
        "report": report_path(context) or "none",
    }
    return project_node("deploy", parameters=parameters, speaks=True)


def setup(context: LaunchContext) -> list:
    """Everything that depends on the arguments' values."""
    if text("record_view", context) == "show" and text("hardware", context) != SIM:
        what = "record_view:=show films what only a simulator shows: use hardware:=sim, or record_view:=camera"
        parts.refuse(coded(ErrorCode.BAD_PARAMETER, what))
    parts.check_arguments(context, __file__, ARGUMENTS, ("trials", "seed"))
    check_files(context)
    parts.hold_domain(context)
    nodes = [*parts.bottom_nodes(context), *parts.reach_nodes(context), *skill_nodes(context)]
    if directory := video_folder(context):
        video = {"directory": directory, "view": text("record_view", context)}
        nodes.append(project_node("run_video", parameters=video))
    # Handlers come first: a process that ends at once must find them in place.
    actions = [*parts.network_actions(context), *parts.required_nodes(nodes), *nodes, *parts.viewers(context)]
    if text("trials", context) != "0":
        trials = deploy_node(context)
        actions += [parts.ends_launch(trials, "the deployment"), trials]
    return actions


def generate_launch_description() -> LaunchDescription:
    """The launch description."""
    return LaunchDescription([*declared(ARGUMENTS), OpaqueFunction(function=setup)])
