"""What the keys of the page do, in words. Every text is escaped."""

from html import escape

from vital_core.errors import shortened
from vital_monitor.drawing.ink import GREEN, GREY, LONGEST, badge, table
from vital_monitor.state.heard import Teleop
from vital_monitor.state.key_hand import TOLD, Hand

ARM = {"engaged": "follows the hand", "waiting": "is asked for", "lost": "does not hear the page", "idle": "stays"}


def keys_told(why: str | None) -> str:
    """Why the keys do not move the arm, where that is worth a line."""
    return f"<span style='color:{GREY}'>{escape(shortened(why, LONGEST))}</span>" if why else ""


def hand_told(hand: Hand, teleop: Teleop) -> str:
    """What the hand on the keys does, what the arm makes of it, and what each key is for."""
    arm = f"the arm {ARM[teleop.mode]}"
    if teleop.message and teleop.mode != "engaged":
        arm += f": {teleop.message}"
    state = badge("CLUTCH CLOSED" if hand.clutch else "CLUTCH OPEN", GREEN if hand.clutch else GREY)
    return f"{state} {escape(shortened(f'{hand.words}; {arm}', LONGEST))}{table(TOLD)}"
