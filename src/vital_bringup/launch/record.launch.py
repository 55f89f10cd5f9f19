"""A session of demonstrations: a person, or the scripted operator, shows the skill; every episode is recorded.

    ros2 launch vital_bringup record.launch.py task:=usb_insertion device:=keyboard
    ros2 launch vital_bringup record.launch.py task:=usb_insertion operator:=scripted episodes:=32

Brings up the arm and its sensors, the command gate, reach (for the start poses), teleoperation, the recorder and
the session that leads through it. An existing session folder is gone on with. Exit code 0 when the session came to
its end, 1 on a fault.
"""

import getpass
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from vital_bringup.launching import launch_parts as parts
from vital_bringup.launching.launch_arguments import Argument, declared, given, text
from vital_bringup.launching.launch_parts import project_node
from vital_core.errors import ErrorCode, coded

SCRIPTED = "scripted"
ARGUMENTS: tuple[Argument, ...] = (
    *parts.COMMON_ARGUMENTS,
    ("operator", "auto", "who shows it: a name (auto: yours), or scripted for the simulator's own operator", None),
    (
        "device",
        "keyboard",
        "what the operator's hand is on",
        ("keyboard", "gamepad", "spacemouse", "webxr", "remote"),
    ),
    ("episodes", "0", "how many good demonstrations; 0: what the task asks for", None),
    ("seed", "0", "of the first scene; counts up", None),
    ("session", "auto", "folder of the session; auto: recordings/<task> here; an existing one is gone on with", None),
)


def session_path(context: LaunchContext) -> str:
    """The session's folder, absolute."""
    return str(Path(given("session", context) or f"recordings/{text('task', context)}").absolute())


def operator_nodes(context: LaunchContext) -> list[Node]:
    """The operator's device, and the scripted operator where one was asked for."""
    scripted = text("operator", context) == SCRIPTED
    device = {"task": text("task", context), "device": "remote" if scripted else text("device", context)}
    if not scripted:
        # A keyboard needs the terminal.
        return [project_node("teleop_node", "vital_teleop", device, speaks=True)]
    return [
        project_node("teleop_node", "vital_teleop", device),
        project_node("operator_node", "vital_sim"),
    ]


def session_node(context: LaunchContext) -> Node:
    """Leads through the session and talks to the operator."""
    parameters = {
        "task": text("task", context),
        "operator": given("operator", context) or getpass.getuser(),
        "hardware": text("hardware", context),
        "episodes": int(text("episodes", context)),
        "seed": int(text("seed", context)),
    }
    return project_node("record_session", parameters=parameters, speaks=True)


def setup(context: LaunchContext) -> list:
    """Everything that depends on the arguments' values."""
    if text("operator", context) == SCRIPTED and text("hardware", context) != "sim":
        what = "operator:=scripted shows what only the simulator knows: use hardware:=sim"
        parts.refuse(coded(ErrorCode.BAD_PARAMETER, what))
    parts.check_arguments(context, __file__, ARGUMENTS, ("episodes", "seed"))
    parts.hold_domain(context)
    recorder = {
        "task": text("task", context),
        "session": session_path(context),
        "wrist_view": text("wrist_view", context),
    }
    nodes = [
        *parts.bottom_nodes(context),
        *parts.reach_nodes(context),
        *operator_nodes(context),
        project_node("recorder_node", "vital_data", recorder),
    ]
    session = session_node(context)
    return [
        *parts.network_actions(context),
        *parts.required_nodes(nodes),
        *nodes,
        *parts.viewers(context),
        parts.ends_launch(session, "the session"),
        session,
    ]


def generate_launch_description() -> LaunchDescription:
    """The launch description."""
    return LaunchDescription([*declared(ARGUMENTS), OpaqueFunction(function=setup)])
