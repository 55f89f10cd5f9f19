"""Who may own the arm; messages carry the value."""

from enum import StrEnum


class Owner(StrEnum):
    """Owners of the arm, one at a time."""

    NOBODY = ""
    """The arm stands still and may be taken."""
    POLICY = "policy"
    """The local policy, while it finishes a skill."""
    REACH = "reach"
    """The planner's motions above a target."""
    TELEOP = "teleop"
    """A person's hand; may take the arm from a machine."""
    RESET = "reset"
    """The way back to a safe place; may take the arm from a machine."""

    @property
    def may_take_over(self) -> bool:
        """Whether a person stands behind it, who need not wait for a machine to release the arm."""
        return self in (Owner.TELEOP, Owner.RESET)

    @property
    def may_be_taken_from(self) -> bool:
        """Whether it is a machine, from which a person may take the arm."""
        return self in (Owner.POLICY, Owner.REACH)


OWNERS = tuple(owner for owner in Owner if owner is not Owner.NOBODY)
