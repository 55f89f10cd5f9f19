"""Trial to and from vital_interfaces/TrialReport."""

from dataclasses import fields

from vital_bringup.tasks.trial import Phase, Trial
from vital_core.errors import ErrorCode
from vital_interfaces.msg import TrialReport

_SAME_NAME = tuple(f.name for f in fields(Trial) if f.name not in ("phase", "error_code", "pixel"))


def to_message(trial: Trial) -> TrialReport:
    """The message of a trial."""
    message = TrialReport(**{name: getattr(trial, name) for name in _SAME_NAME})
    message.phase, message.error_code = str(trial.phase), int(trial.error_code)
    message.pixel_u, message.pixel_v = map(float, trial.pixel)
    return message


def from_message(message: TrialReport) -> Trial:
    """The trial of a message. Inverse of `to_message`."""
    return Trial(
        **{name: getattr(message, name) for name in _SAME_NAME},
        phase=Phase(message.phase),
        error_code=ErrorCode.told(message.error_code, ErrorCode.INTERNAL if message.error_code else ErrorCode.OK),
        pixel=(message.pixel_u, message.pixel_v),
    )
