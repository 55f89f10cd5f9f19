"""All kinds of faults, in the order of the table."""

from vital_bringup.chaos.faults import command_faults as commands
from vital_bringup.chaos.faults import graph_faults as graph
from vital_bringup.chaos.faults import process_faults as processes
from vital_bringup.chaos.faults import recorder_faults as recorder
from vital_bringup.chaos.faults import replay_faults as replay
from vital_bringup.chaos.faults import report_faults as reports
from vital_bringup.chaos.faults import sensor_faults as sensors
from vital_bringup.chaos.faults.kind import AnyKind, Kind, Station

KINDS: tuple[AnyKind, ...] = (
    Kind("node_killed", "node dies", "SIGKILL to a node", processes.node_killed),
    Kind("node_told_to_end", "node dies", "SIGTERM to a node", processes.node_told_to_end),
    Kind("node_frozen_briefly", "node freezes", "a node stopped for 0.3 s", processes.node_frozen_briefly),
    Kind("node_frozen", "node freezes", "a node stopped for 2 s", processes.node_frozen),
    Kind("node_frozen_long", "node freezes", "a node stopped for 10 s", processes.node_frozen_long),
    Kind("launch_killed", "launch ends", "SIGKILL to the launch", processes.launch_killed),
    Kind("launch_told_to_end", "launch ends", "SIGTERM to the launch", processes.launch_told_to_end),
    Kind("terminal_closed", "launch ends", "SIGHUP to everything", processes.terminal_closed),
    Kind("launch_interrupted", "launch ends", "Ctrl-C", processes.launch_interrupted),
    Kind("command_not_finite", "hostile command", "NaN or infinity", commands.not_finite),
    Kind("command_wrong_frame", "hostile command", "another frame", commands.wrong_frame),
    Kind("command_old_stamp", "hostile command", "a stamp long past or negative", commands.old_stamp),
    Kind("command_huge_step", "hostile command", "steps of 0.1 m to 1000 km", commands.huge_step),
    Kind("command_old_seq", "hostile command", "an old sequence number", commands.old_seq),
    Kind("command_wrong_owner", "hostile command", "from who does not own the arm", commands.wrong_owner),
    Kind("command_wrong_token", "hostile command", "the owner's name, a made-up token", commands.wrong_token),
    Kind("flood_of_commands", "flood", "1000 commands a second", commands.flood),
    Kind("flood_of_joints", "flood", "1000 joint states a second", sensors.flood_of_joints),
    Kind("flood_of_images", "flood", "300 images of 900 kB a second", sensors.flood_of_images),
    Kind("joints_jump", "joint states lie", "somewhere else altogether", sensors.joints_jump),
    Kind("joints_stray", "joint states lie", "one false reading, then silence", sensors.joints_stray),
    Kind("joints_lie", "joint states lie", "a second publisher: one joint off", sensors.joints_lie),
    Kind("joints_frozen", "joint states lie", "a second publisher: frozen", sensors.joints_frozen),
    Kind("joints_malformed", "malformed message", "joint states with NaN, too short, stamps", sensors.joints_malformed),
    Kind("transform_not_a_number", "malformed message", "NaN on /tf, /tf_static", sensors.transform_not_a_number),
    Kind("stamps_negative", "malformed message", "images, touch before the epoch", sensors.stamps_before_the_epoch),
    Kind("touch_doubled", "touch", "a second pad that is pressed", sensors.touch_doubled, also_idle=False),
    Kind("touch_of_four", "touch", "a second pad with four magnetometers", sensors.touch_of_four, also_idle=False),
    Kind("touch_saturated", "touch", "all magnetometers saturated", sensors.touch_saturated, also_idle=False),
    Kind("second_gate", "doubled", "a second gate", graph.second_gate),
    Kind("second_simulator", "doubled", "a second simulator", graph.second_simulator),
    Kind("second_policy", "doubled", "a second policy", graph.second_policy),
    Kind("second_stack", "doubled", "a second deployment", graph.second_stack),
    Kind("task_cancelled", "cancel", "RunTask cancelled", graph.cancelled, also_idle=False),
    Kind("clock_jump", "clock", "one node's clock jumps by an hour", graph.clock_jumps, jumps=True),
    Station("replay_killed", "disk", "the replay killed while it appends", replay.replay_killed),
    Station("replay_disk_full", "disk", "the replay's disk full", replay.replay_disk_full, small_disk=True),
    Station("recorder_killed", "disk", "the recorder killed while it records", recorder.recorder_killed),
    Station("recorder_disk_full", "disk", "the recorder's disk full", recorder.recorder_disk_full, small_disk=True),
    Station("report_disk_full", "disk", "no room for the report", reports.report_disk_full, small_disk=True),
)
BY_NAME = {kind.name: kind for kind in KINDS}
