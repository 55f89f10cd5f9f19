"""The limits in force: the task's own (box, step, touch) and the gate's (ages, speeds, tolerances)."""

from dataclasses import Field, dataclass, field, fields, replace

from vital_core.arm.xarm7 import PLANNING_JOINT_ACCELERATION_RAD_S2, PLANNING_JOINT_SPEED_RAD_S
from vital_core.command_rules import GRIPPER_TOLERANCE, MAX_TCP_SPEED_M_S, MAX_TCP_TURN_RAD_S, CommandRules
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import Task


def _limit(default: float, lower: float, upper: float, description: str) -> float:
    value: float = field(default=default, metadata={"range": (lower, upper), "description": description})
    return value


@dataclass(frozen=True)
class Limits:
    """The task in force and the gate's parameters; each parameter carries its range and its description."""

    task: Task
    max_command_age_s: float = _limit(0.35, 0.02, 2.0, "oldest stamp of a command, ROS time, s")
    max_joint_state_age_s: float = _limit(0.25, 0.02, 2.0, "oldest joint state, steady time, s")
    max_tactile_age_s: float = _limit(0.25, 0.02, 2.0, "oldest tactile reading of whoever moves the arm, s")
    tactile_saturation_ut: float = _limit(
        12_000.0, 100.0, 60_000.0, "field of one axis at which the chip is at its limit, µT"
    )
    longest_stall_s: float = _limit(
        1.0, 0.1, 5.0, "silence of sensors, or of the gate itself, after which a trajectory is not gone on with, s"
    )
    min_duration_s: float = _limit(0.02, 0.005, 1.0, "shortest motion of one command, s")
    max_duration_s: float = _limit(1.0, 0.02, 10.0, "longest motion of one command, s")
    max_trajectory_s: float = _limit(60.0, 0.1, 600.0, "longest trajectory, s")
    hold_after_periods: float = _limit(2.5, 1.0, 20.0, "missed periods after which the arm is held")
    owner_timeout_s: float = _limit(10.0, 0.5, 600.0, "silence after which another may take the arm, s")
    max_joint_speed_rad_s: float = _limit(
        PLANNING_JOINT_SPEED_RAD_S, 0.05, 3.14, "fastest commanded joint speed, rad/s"
    )
    max_joint_acceleration_rad_s2: float = _limit(
        1.2 * PLANNING_JOINT_ACCELERATION_RAD_S2,
        0.5,
        40.0,
        "largest joint acceleration of a trajectory, rad/s^2 (the planner's limit and a fifth for sampling)",
    )
    blend_acceleration_rad_s2: float = _limit(
        20.0, 0.5, 40.0, "joint acceleration of starts, joints between commands and stops, rad/s^2"
    )
    max_tcp_speed_m_s: float = _limit(MAX_TCP_SPEED_M_S, 0.01, 1.0, "fastest TCP motion of a command, m/s")
    max_tcp_turn_rad_s: float = _limit(MAX_TCP_TURN_RAD_S, 0.05, 6.0, "fastest TCP turn of a command, rad/s")
    start_tolerance_rad: float = _limit(0.03, 0.001, 0.2, "a trajectory's first point to the arm, rad")
    goal_tolerance_rad: float = _limit(0.01, 0.0005, 0.1, "measured to commanded at a trajectory's end, rad")
    settle_s: float = _limit(1.0, 0.05, 10.0, "time to come within the goal tolerance, s")
    rest_tolerance_rad: float = _limit(0.05, 0.005, 0.5, "measured to commanded while at rest, rad")
    following_tolerance_rad: float = _limit(0.3, 0.02, 1.0, "measured to commanded while moving, rad")
    gripper_tolerance: float = _limit(
        GRIPPER_TOLERANCE, 0.0, 0.2, "how far beyond 0 and 1 still means the stroke's end"
    )

    def __post_init__(self) -> None:
        for parameter in gate_parameters():
            lower, upper = parameter.metadata["range"]
            value = getattr(self, parameter.name)
            if not lower <= value <= upper:
                raise VitalError(
                    ErrorCode.BAD_PARAMETER,
                    f"{parameter.name} is {value}, expected {lower} to {upper}: {parameter.metadata['description']}",
                )

    @property
    def rules(self) -> CommandRules:
        """What every end-effector command must keep to."""
        return CommandRules(self.task, self.max_tcp_speed_m_s, self.max_tcp_turn_rad_s, self.gripper_tolerance)

    def for_task(self, task: Task) -> "Limits":
        """The same parameters with another task's limits."""
        return replace(self, task=task)


def gate_parameters() -> tuple[Field[float], ...]:
    """The fields of `Limits` that are the gate's own parameters, with ``range`` and ``description`` metadata."""
    return tuple(f for f in fields(Limits) if "range" in f.metadata)
