"""Who owns the arm: one owner at a time, each acquisition with a token of its own.

The token is told to the one who acquires, and must come with everything that owner sends. So a name alone moves
nothing, and who borrows the owner's name cannot lock the owner out.
"""

import hmac
import secrets
from dataclasses import dataclass, field

from vital_core.errors import ErrorCode
from vital_core.owner import OWNERS, Owner

NO_TOKEN = 0
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
