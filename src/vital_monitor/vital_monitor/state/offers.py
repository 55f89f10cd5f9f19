"""What can be done now: the buttons that a session would hear, and what the services that answer offer."""

from collections.abc import Collection
from enum import StrEnum

from vital_monitor.state.heard import Gate, Kind, Session, Teleop


class Deed(StrEnum):
    """What a person can do from the page. STOP is not among them: it is always offered, to everybody."""

    START = "START"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REDO = "REDO"
    PAUSE = "PAUSE"
    FINISH = "FINISH"
    CLEAR = "CLEAR STOP"
    BASELINE = "BASELINE"
    RUN = "RUN"
    CANCEL = "CANCEL"


# A person's words to a session; the others are requests to a service.
WORDS = (Deed.START, Deed.SUCCESS, Deed.FAILURE, Deed.REDO, Deed.PAUSE, Deed.FINISH)
# What each phase of a session hears; in a training START pauses between episodes and goes on after a pause.
HEARD = {
    Kind.RECORD: {
        "preparing": {Deed.START, Deed.FINISH},
        "ready": {Deed.START, Deed.REDO, Deed.FINISH},
        "recording": {Deed.SUCCESS, Deed.FAILURE, Deed.REDO, Deed.FINISH},
        "saving": {Deed.FINISH},
    },
    Kind.TRAINING: {
        "preparing": {Deed.START, Deed.FINISH},
        "running": {Deed.SUCCESS, Deed.FAILURE, Deed.PAUSE, Deed.FINISH},
        "labelling": {Deed.SUCCESS, Deed.FAILURE, Deed.REDO, Deed.FINISH},
        "paused": {Deed.START, Deed.FINISH},
        "waiting": {Deed.PAUSE, Deed.FINISH},
    },
}


def offered(session: Session | None, gate: Gate | None, served: Collection[Deed], running: bool) -> frozenset[Deed]:
    """What is offered. served: deeds whose service or action answers; running: a sentence of ours is under way."""
    deeds = set() if session is None else set(HEARD[session.kind].get(session.phase, ()))
    led = session is not None and not session.finished
    if gate is not None and gate.stopped:
        deeds.add(Deed.CLEAR)
    deeds |= {Deed.BASELINE} & set(served)
    if Deed.RUN in served and not led:
        deeds.add(Deed.CANCEL if running else Deed.RUN)
    return frozenset(deeds - ({Deed.CLEAR, Deed.BASELINE} - set(served)))


def why_no_keys(teleop: Teleop | None, taken: bool) -> str | None:
    """Why the keys of a page cannot move the arm; None: they can. taken: some page's do."""
    if teleop is None:
        return ""
    if not teleop.takes_keys:
        return f"the hand is on the {teleop.device}: launched with device:=remote it is on the keys of this page"
    if taken:
        return "the keys of another page move the arm"
    if teleop.mode != "lost":
        return "another program is the hand: it sends /vital/operator_input"
    return None
