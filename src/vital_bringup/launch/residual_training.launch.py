"""Learns the residual on the arm: the policy acts, a person labels and corrects, the learner follows.

    ros2 launch vital_bringup residual_training.launch.py task:=usb_insertion
    ros2 launch vital_bringup residual_training.launch.py task:=usb_insertion device:=keyboard labeller:=operator

Brings up the arm and its sensors, the command gate, reach, the local policy ready to learn, teleoperation, the replay,
the learner and the session that leads through it. An existing folder is gone on with. In simulation the true outcome
labels unless labeller:=operator. Exit code 0 when it came to its end, 1 on a fault.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from vital_bringup.launching import launch_parts as parts
from vital_bringup.launching.launch_arguments import Argument, declared, given, text
from vital_bringup.launching.launch_parts import project_node
from vital_core.arm.arm_description import SIM
from vital_core.errors import ErrorCode, VitalError, coded
from vital_core.labeller import ALSO_READ, AUTO, Labeller, choose_labeller

ARGUMENTS: tuple[Argument, ...] = (
    *parts.COMMON_ARGUMENTS,
    (
        "device",
        "remote",
        "what the person's hand is on, to correct and to label; remote: another machine, or nobody",
        ("keyboard", "gamepad", "spacemouse", "webxr", "remote"),
    ),
    (
        "labeller",
        AUTO,
        "who labels: sim_truth is the true outcome, which only a simulator knows; operator is a person; auto: "
        "sim_truth where it is known",
        (AUTO, *map(str, Labeller), *ALSO_READ),
    ),
    ("steps", "16000", "environment steps to learn from, at 6 Hz", None),
    ("seed", "100000", "of the first scene and start pose; counts up", None),
    ("run_seed", "0", "of networks, minibatches and exploration", None),
    (
        "folder",
        "auto",
        "of replay, state and result; auto: training/<task> here; an existing one is gone on with",
        None,
    ),
    ("demos", "none", "session of demonstrations as prior data", None),
    ("updates_per_step", "16", "updates of critics and actor for every environment step", None),
    ("learner_threads", "0", "of the updates; 0: a quarter of the cores", None),
    ("dense", "false", "reward the distance to where the target was located, too", ("true", "false")),
    ("first_reach", "1.0", "largest residual at the first step, in shares of its scale; 0.1 is gentle", None),
    ("reach_steps", "1", "environment steps until it is the whole scale; 8000 beside first_reach:=0.1", None),
    ("residual_cost", "0.0", "of the squares of what is added, where a success is worth 1; 0.2 is gentle", None),
    ("batch", "128", "transitions in a minibatch; the paper's 256 take twice the time", None),
    ("checkpoint_dir", "auto", "folder with <task>.safetensors; auto: the checkpoints shipped with vital_policy", None),
)
WHOLE_NUMBERS = ("steps", "seed", "run_seed", "updates_per_step", "learner_threads", "reach_steps", "batch")


def folder_of(context: LaunchContext) -> Path:
    """Of the training, absolute."""
    return Path(given("folder", context) or f"training/{text('task', context)}").absolute()


def whole(name: str, context: LaunchContext) -> int:
    """A launch argument as a whole number."""
    return int(text(name, context))


def fraction(name: str, context: LaunchContext) -> float:
    """A launch argument as a number; the launch is refused where it is none."""
    try:
        return float(text(name, context))
    except ValueError:
        parts.refuse(coded(ErrorCode.BAD_PARAMETER, f"{name}:={text(name, context)} is no number"))


def learning_nodes(context: LaunchContext) -> list[Node]:
    """The policy ready to learn, the replay and the learner."""
    folder, task = folder_of(context), text("task", context)
    checkpoints = given("checkpoint_dir", context)
    policy = {"task": task, "wrist_view": text("wrist_view", context), "learn": True, "residual": "none"}
    learner = {
        "task": task,
        "folder": str(folder),
        "demos": [given("demos", context)],
        "steps": whole("steps", context),
        "seed": whole("run_seed", context),
        "updates_per_step": whole("updates_per_step", context),
        "dense": text("dense", context) == "true",
        "threads": whole("learner_threads", context),
        "first_reach": fraction("first_reach", context),
        "reach_steps": whole("reach_steps", context),
        "residual_cost": fraction("residual_cost", context),
        "batch": whole("batch", context),
    }
    if checkpoints:
        policy["checkpoint_dir"] = checkpoints
        learner["checkpoint"] = str(Path(checkpoints).absolute() / f"{task}.safetensors")
    # Nothing that was learned from is evicted: the learner reads it again when it goes on.
    replay = {"folder": str(folder / "replay"), "capacity": 2 * whole("steps", context) + 10_000}
    return [
        project_node("policy_node", "vital_rl", policy),
        project_node("replay_node", "vital_rl", replay),
        project_node("learner_node", "vital_rl", learner),
    ]


def teleop_node(context: LaunchContext) -> Node:
    """The person's device; a keyboard needs the terminal."""
    parameters = {"task": text("task", context), "device": text("device", context)}
    return project_node("teleop_node", "vital_teleop", parameters, speaks=text("device", context) != "remote")


def labeller(context: LaunchContext) -> Labeller:
    """Who labels; the launch is refused where nobody could."""
    try:
        return choose_labeller(text("labeller", context), simulated=text("hardware", context) == SIM)
    except VitalError as error:
        parts.refuse(str(error))


def session_node(context: LaunchContext) -> Node:
    """Leads through the training and talks to the person."""
    parameters = {
        "task": text("task", context),
        "hardware": text("hardware", context),
        "labeller": str(labeller(context)),
        "steps": whole("steps", context),
        "seed": whole("seed", context),
    }
    return project_node("residual_training", parameters=parameters, speaks=True)


def setup(context: LaunchContext) -> list:
    """Everything that depends on the arguments' values."""
    labeller(context)
    parts.check_arguments(context, __file__, ARGUMENTS, WHOLE_NUMBERS)
    parts.hold_domain(context)
    nodes = [
        *parts.bottom_nodes(context),
        *parts.reach_nodes(context),
        *learning_nodes(context),
        teleop_node(context),
    ]
    session = session_node(context)
    return [
        *parts.network_actions(context),
        *parts.required_nodes(nodes),
        *nodes,
        *parts.viewers(context),
        parts.ends_launch(session, "the training"),
        session,
    ]


def generate_launch_description() -> LaunchDescription:
    """The launch description."""
    return LaunchDescription([*declared(ARGUMENTS), OpaqueFunction(function=setup)])
