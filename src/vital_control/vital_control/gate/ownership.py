"""Who owns the arm, and who has stopped it: one owner at a time, each acquisition with a token of its own.

The token is told to the one who acquires, and must come with everything that owner sends. So a name alone moves
nothing, and who borrows the owner's name cannot lock the owner out. A stop has a number: whoever clears says which one
was looked at.
"""

import hmac
import secrets
from dataclasses import dataclass, field

from vital_core.errors import ErrorCode
from vital_core.owner import OWNERS, Owner

NO_TOKEN = 0
WHICHEVER = 0  # number of no stop in particular
_TOKEN_BITS = 63


@dataclass(frozen=True)
class Answer:
    """The answer to a request that is no motion: granted or not, with a code and a sentence; token: of an acquisition.

    The token is left out of the representation: it must not get into a log.
    """

    granted: bool
    code: ErrorCode
    text: str
    token: int = field(default=NO_TOKEN, repr=False)


class Ownership:
    """The present owner and the token of its acquisition."""

    def __init__(self) -> None:
        self.owner = Owner.NOBODY
        self._token = NO_TOKEN

    def refusal(self, owner: str, token: int, *, take_over: bool, abandoned: bool) -> Answer | None:
        """Why ``owner`` may not take the arm now, or None. abandoned: the present owner has been silent too long."""
        if owner not in OWNERS:
            return Answer(
                False, ErrorCode.BAD_PARAMETER, f"there is no owner '{owner}', expected one of {', '.join(OWNERS)}"
            )
        taken = take_over and Owner(owner).may_take_over and self.owner.may_be_taken_from
        if self.owner is Owner.NOBODY or taken or abandoned or self.proven(owner, token):
            return None
        if owner == self.owner:
            return Answer(
                False,
                ErrorCode.NOT_OWNER,
                f"'{owner}' owns the arm by another acquisition, which must release it first",
            )
        return Answer(
            False, ErrorCode.NOT_OWNER, f"'{self.owner}' owns the arm: it must release it before '{owner}' can"
        )

    def release_refusal(self, owner: str, token: int) -> Answer | None:
        """Why ``owner`` may not give the arm back, or None; where nobody owns it, anybody may."""
        if self.owner is Owner.NOBODY or self.proven(owner, token):
            return None
        if owner == self.owner:
            return Answer(False, ErrorCode.NOT_OWNER, f"'{owner}' owns the arm by another acquisition")
        return Answer(False, ErrorCode.NOT_OWNER, f"'{self.owner}' owns the arm, not '{owner}'")

    def give_to(self, owner: Owner) -> int:
        """Make ``owner`` the owner; returns the token of this acquisition."""
        self.owner, self._token = owner, secrets.randbits(_TOKEN_BITS) | 1
        return self._token

    def take_back(self) -> None:
        """Nobody owns the arm."""
        self.owner, self._token = Owner.NOBODY, NO_TOKEN

    def proven(self, owner: str, token: int) -> bool:
        """Whether the sender is the present owner: its name and the token of its acquisition."""
        if self.owner is Owner.NOBODY or owner != self.owner:
            return False
        return hmac.compare_digest(token.to_bytes(8, "little"), self._token.to_bytes(8, "little"))


@dataclass
class LatchedStop:
    """Why the gate is stopped; nothing of it counts once it is lifted, but for the number, which goes on."""

    code: ErrorCode = ErrorCode.OK
    reason: str = ""
    number: int = 0
    """Of the last stop; one that somebody asks for on top of another has the next one."""

    def latch(self, code: ErrorCode, reason: str) -> None:
        """Begin a stop."""
        self.code, self.reason, self.number = code, reason, self.number + 1

    def add(self, code: ErrorCode, reason: str) -> str:
        """What comes while it is latched; returns what it was latched by before.

        Somebody's stop is not lost in one of the gate's own, which a program may clear.
        """
        before = self.reason
        if code is ErrorCode.STOPPED:
            if self.code is not code:
                self.code, self.reason = code, f"{reason}; before that: {before}"
            self.number += 1
        return before

    def lift(self) -> None:
        """Nobody is stopped any more."""
        self.code, self.reason = ErrorCode.OK, ""

    def clear_refusal(self, number: int) -> Answer | None:
        """Why whoever looked at stop ``number`` (`WHICHEVER`: at the arm as it is) may not lift this one, or None."""
        if number in (WHICHEVER, self.number):
            return None
        text = f"stop {self.number} has come since stop {number} was looked at ({self.reason}): look at the arm again"
        return Answer(False, ErrorCode.STOPPED, text)
