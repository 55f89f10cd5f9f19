"""The words of sessions as messages have them."""

from vital_bringup.sessions import demo_session, training_session
from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.demo_session import Outcome
from vital_interfaces.msg import SessionState, TeleopEvent, TrainingState
from vital_interfaces.srv import FinishEpisode

PRESSES = {
    TeleopEvent.START: Press.START,
    TeleopEvent.SUCCESS: Press.SUCCESS,
    TeleopEvent.FAILURE: Press.FAILURE,
    TeleopEvent.REDO: Press.REDO,
    TeleopEvent.FINISH: Press.FINISH,
    TeleopEvent.STOP: Press.STOPPED,
}
OUTCOMES = {
    Outcome.SUCCESS: FinishEpisode.Request.SUCCESS,
    Outcome.FAILURE: FinishEpisode.Request.FAILURE,
    Outcome.REDO: FinishEpisode.Request.REDO,
}
DEMO_PHASES = {phase: getattr(SessionState, phase.name) for phase in demo_session.Phase}
TRAINING_PHASES = {phase: getattr(TrainingState, phase.name) for phase in training_session.Phase}
