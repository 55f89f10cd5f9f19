"""What only the simulation knows of a task."""

from dataclasses import dataclass

from vital_core.pose import Pose


@dataclass(frozen=True)
class Truth:
    """The state of the task as it is; for measuring and showing, never for a policy."""

    success: bool
    """Whether the task's goal is met at this moment."""
    depth_m: float
    """Of the tip below the mouth of the opening, or the block's upper face."""
    lateral_m: float
    """Distance of the tip from the opening's axis, or from the slot's middle."""
    travel_m: float
    """How far a card has been drawn through the slot without leaving it, or a block has been lifted."""
    contact_force_n: float
    """Norm of the sum of all contact forces."""
    penetration_m: float
    """The deepest at this moment."""
    t_base_target: Pose
    """Of the opening, or the block's upper face."""
    t_base_tip: Pose
    """Of the held object's tip, or the point between the fingers."""
    t_base_tcp: Pose
    """The true one; the encoders' is off by the arm's repeatability."""
    t_tcp_object: Pose
    """Of the held object, or the block."""
