"""What other systems do in the same case, as read in their sources; 'not known' where nothing was found.

Read at: ros2_control `controller_manager` 6.8.0 (commit 53b9999) and `joint_limits` of the same commit,
`joint_trajectory_controller` 6.9.0 (commit 94e74de), Nav2 1.5.0 (commit a3a9704), LeRobot 0.6.2 (commit 7427f31).
"""

from dataclasses import dataclass

NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Peers:
    """One family of faults: what ros2_control, Nav2 and LeRobot do, with the file that says so."""

    ros2_control: str = NOT_KNOWN
    nav2: str = NOT_KNOWN
    lerobot: str = NOT_KNOWN


SOURCES = (
    ("ros2_control", "ros-controls/ros2_control, controller_manager 6.8.0, commit 53b9999 (2026-08-07)"),
    ("JTC", "ros-controls/ros2_controllers, joint_trajectory_controller 6.9.0, commit 94e74de (2026-08-18)"),
    ("Nav2", "ros-navigation/navigation2 1.5.0, commit a3a9704 (2026-08-21)"),
    ("LeRobot", "huggingface/lerobot 0.6.2, commit 7427f31 (2026-08-23)"),
)

PEERS: dict[str, Peers] = {
    "node dies": Peers(
        "A controller whose update fails is deactivated and its fallback activated; hardware whose read or write fails "
        "takes its controllers with it (`controller_manager.cpp`). Control, hardware and manager are one process: of "
        "its own death nothing is said.",
        "The lifecycle manager takes all its nodes down when one's bond breaks (4 s by default) and starts them again "
        "when all are back within 10 s (`lifecycle_manager.cpp`, checkBondConnections, checkBondRespawnConnection).",
        "LeKiwi's host stops the base, not the arm, 0.5 s after the last command (`lekiwi_host.py`, "
        "watchdog_timeout_ms); elsewhere not known.",
    ),
    "node freezes": Peers(
        "JTC holds when `cmd_timeout` has passed after a trajectory's last point; off (0) by default "
        "(`joint_trajectory_controller.cpp`). A trajectory under way is carried out to its end.",
        "A bond without heartbeat for 4 s counts as broken, as if the node had died; the velocity smoother stops when "
        "no command comes for `velocity_timeout`, 1 s (`velocity_smoother.cpp`).",
        "As when it dies.",
    ),
    "launch ends": Peers(
        "On SIGINT and SIGTERM the control loop leaves with `rclcpp::ok()` (`ros2_control_node.cpp`); what `ros2 "
        "launch` leaves behind is not its matter.",
        "Every node clears up in a callback before its context shuts down (`lifecycle_node.hpp`, on_rcl_preshutdown).",
        "SIGINT, SIGTERM, SIGHUP and SIGQUIT set an event that ends the loop, a second one exits with 1 "
        "(`utils/process.py`).",
    ),
    "hostile command": Peers(
        "JTC checks names, sizes, rising times, an end at rest and an end that is not past; none of these checks looks "
        "for NaN, for who sends, or for the way from where the arm is (`validate_trajectory_msg`). Limits are clamped "
        "per cycle where `enforce_command_limits` is on, the default (`controller_manager_parameters.yaml`).",
        "The collision monitor ignores a velocity with NaN or infinity (`collision_monitor_node.cpp`, validateTwist); "
        "who sends is not asked.",
        "`max_relative_target` clamps the way of each joint where it is set; the default is None. The clamp is min and "
        "max of Python, which let NaN pass (`robots/utils.py`, ensure_safe_goal_position).",
    ),
    "flood": Peers(
        "Not known; a trajectory that comes takes the place of the one before (`topic_callback`).", NOT_KNOWN, NOT_KNOWN
    ),
    "joint states lie": Peers(
        "Controllers read the hardware's interfaces, not the topic. JTC aborts and holds when the state leaves the "
        "trajectory's tolerance, where one is set (`joint_trajectory_controller.cpp`).",
        "A source without data for `source_timeout` (2 s) stops the robot (`collision_monitor_node.cpp`, 'invalid "
        "source'); two publishers of one topic are not told apart.",
        "There is no topic: each driver reads its own motors.",
    ),
    "malformed message": Peers(
        "JTC refuses the message with an error line (`validate_trajectory_msg`); sensors do not come as messages.",
        "Data whose stamp is older than `source_timeout` is ignored with a warning (`source.cpp`, sourceValid).",
        NOT_KNOWN,
    ),
    "touch": Peers(nav2="The collision monitor stops at what is inside a polygon (`polygon.cpp`); touch is not known."),
    "doubled": Peers(
        "A controller of a name that is loaded already is refused (`controller_manager.cpp`); a second manager on the "
        "same topics: not known.",
        NOT_KNOWN,
        NOT_KNOWN,
    ),
    "cancel": Peers(
        "JTC accepts it at once and holds where it is, or slows down where that is set (`goal_cancelled_callback`).",
        "The controller server asks the controller to cancel, then sends zero velocity (`controller_server.cpp`, "
        "onGoalExit); a controller that has not finished is asked again.",
        "No action interface; Ctrl-C ends the loop.",
    ),
    "clock": Peers(
        "The loop is paced by a steady clock (`ros2_control_node.cpp`, next_iteration_time), and JTC samples by the "
        "manager's trigger clock, which is steady outside simulated time (`controller_manager.cpp`, trigger_clock_).",
        "Ages are ROS time: `source_timeout` counts from stamps (`source.cpp`), so a jump forward ignores sources.",
        "LeKiwi's watchdog counts `time.time()` (`lekiwi_host.py`): a jump back keeps it from stopping.",
    ),
    "disk": Peers(lerobot="Not known: no handling of a full disk was found in `src/lerobot`."),
}
