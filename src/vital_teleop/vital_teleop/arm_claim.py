"""The arm while the clutch is closed: asked for, granted, taken away, given back."""

from collections.abc import Callable

from rclpy.client import Client
from rclpy.task import Future

from vital_interfaces.msg import GateState
from vital_interfaces.srv import AcquireControl
from vital_teleop.teleop_messages import OWNER

ASK_AGAIN_S = 0.5


class ArmClaim:
    """Asks the gate without waiting for it. ``told`` gets the sentence of a refusal, and an empty one when the arm is
    granted. Times are steady time, s."""

    def __init__(self, control: Client, task: str, *, take_over: bool, told: Callable[[str], None]) -> None:
        self.owned = False
        self.token = 0
        """Of the present or the last acquisition."""
        self._control, self._task, self._take_over, self._told = control, task, take_over, told
        self._asked_s: float | None = None

    def taken_away(self, gate: GateState) -> str:
        """Why the arm is no longer ours by what the gate says; empty: it is, or it never was."""
        stopped = gate.mode == GateState.LATCHED
        # A state from before the arm was granted says nothing about it.
        if not self.owned or self._asked_s is not None or not (stopped or gate.owner != OWNER):
            return ""
        return gate.stop_reason or "stopped" if stopped else f"'{gate.owner}' has the arm"

    def follow(self, wanted: bool, now_s: float) -> None:
        """Ask the gate for the arm while it is ``wanted``, and give it back when it is not."""
        if wanted and not self.owned:
            if self._asked_s is None or now_s - self._asked_s > ASK_AGAIN_S:
                self._asked_s = now_s
                request = AcquireControl.Request(owner=OWNER, token=self.token, task=self._task)
                request.take_over = self._take_over
                self._control.call_async(request).add_done_callback(self._answered)
        elif not wanted and (self.owned or self._asked_s is not None):
            self.owned, self._asked_s = False, None
            self.release(self.token)

    def release(self, token: int) -> None:
        """Give an acquisition back."""
        self._control.call_async(AcquireControl.Request(owner=OWNER, token=token, release=True))

    def _answered(self, future: Future) -> None:
        answer = future.result()
        if answer is None:
            return
        if self._asked_s is None:  # the clutch has opened meanwhile, before there was a token to release with
            if answer.granted:
                self.release(answer.token)
            return
        self._asked_s = None
        self.owned = answer.granted
        if answer.granted:
            self.token = answer.token
        self._told("" if answer.granted else answer.message)
