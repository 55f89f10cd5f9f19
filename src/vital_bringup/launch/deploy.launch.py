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

from vital_bringup import launch_parts as parts
from vital_bringup.launch_parts import project_node, text

ARGUMENTS: tuple[parts.Argument, ...] = (
    *parts.COMMON_ARGUMENTS,
    ("prompt", "", "the sentence; empty: the task's own", None),
    ("trials", "1", "how many trials; 0: stay up and wait for goals on /vital/run_task", None),
    ("seed", "1000", "of the first trial's scene and start pose; counts up", None),
    ("report", "auto", "JSON report; auto: reports/<task>-<time>.json here; empty: none", None),
    ("record", "", "folder for a video of the run; empty: none", None),
    (
        "checkpoint_dir",
        "",
        "folder with <task>.safetensors; empty: the checkpoints shipped with vital_policy",
        None,
    ),
)


def report_path(context: LaunchContext) -> str:
    """Where the report goes, absolute; empty for none."""
    path = text("report", context)
    if path == "auto":
        path = f"reports/{text('task', context)}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    return str(Path(path).absolute()) if path else ""


def skill_nodes(context: LaunchContext) -> list:
    """The local policy, and the task server that puts the skills together."""
    labeller = "sim_truth" if text("hardware", context) == "sim" else "operator"
    checkpoints = text("checkpoint_dir", context)
    policy = {"task": text("task", context), **({"checkpoint_dir": checkpoints} if checkpoints else {})}
    return [
        project_node("policy_node", "vital_policy", policy),
        project_node("task_server", parameters={"labeller": labeller}),
    ]


def deploy_node(context: LaunchContext) -> Node:
    """The client that runs the trials and talks to the operator."""
    parameters = {
        "task": text("task", context),
        "prompt": text("prompt", context),
        "trials": int(text("trials", context)),
        "seed": int(text("seed", context)),
        "hardware": text("hardware", context),
        "report": report_path(context),
    }
    return project_node("deploy", parameters=parameters, speaks=True)


def setup(context: LaunchContext) -> list:
    """Everything that depends on the arguments' values."""
    parts.check_arguments(context, ("trials", "seed"))
    parts.hold_domain(context)
    nodes = [*parts.bottom_nodes(context), *parts.reach_nodes(context), *skill_nodes(context)]
    if text("record", context):
        directory = str(Path(text("record", context)).absolute())
        nodes.append(project_node("run_video", parameters={"directory": directory}))
    # Handlers come first: a process that ends at once must find them in place.
    actions = [*parts.required_nodes(nodes), *nodes, parts.viewer()]
    if text("trials", context) != "0":
        trials = deploy_node(context)
        actions += [parts.ends_launch(trials, "the deployment"), trials]
    return actions


def generate_launch_description() -> LaunchDescription:
    """The launch description."""
    return LaunchDescription([*parts.declared(ARGUMENTS), OpaqueFunction(function=setup)])
