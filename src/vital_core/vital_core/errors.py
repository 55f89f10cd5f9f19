"""Error codes: one number for each way in which the system can refuse or fail.

A message beside a code says what was got, what was expected and what to do.
"""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Codes carried by every result, verdict and report. A code, once given, keeps its meaning."""

    OK = 0
    # Asked for something that does not exist.
    UNKNOWN_TASK = 10
    BAD_PARAMETER = 11
    # Localisation and reach.
    NOT_IN_VIEW = 20
    NO_DEPTH = 21
    NO_CAMERA = 22
    UNREACHABLE = 23
    PLAN_FAILED = 24
    TRAJECTORY_REFUSED = 25
    REACH_TIMEOUT = 26
    NO_CALIBRATION = 27
    AMBIGUOUS = 28
    BAD_ANSWER = 29
    # Policy.
    NO_CHECKPOINT = 30
    BAD_CHECKPOINT = 31
    STALE_OBSERVATION = 32
    BAD_OBSERVATION = 33
    GIVE_UP = 34
    # Command gate.
    GATE_REFUSED = 40
    STOPPED = 41
    FORCE_LIMIT = 42
    NOT_OWNER = 43
    ARM_DISPLACED = 44
    # Teleoperation and recording.
    DEVICE_LOST = 60
    NOT_RECORDING = 61
    DISK_FULL = 62
    BAD_RECORDING = 63
    BAD_DATASET = 64
    # Planning.
    OUTSIDE_WORKSPACE = 70
    IN_COLLISION = 71
    # System.
    NODE_LOST = 50
    TIMEOUT = 51
    CANCELLED = 52
    BUSY = 53
    SENSOR_FAULT = 54
    BAD_MESSAGE = 55
    NETWORK_OPEN = 56
    ENDPOINT_FAULT = 57
    ACCESS_REFUSED = 58
    INTERNAL = 59

    @classmethod
    def told(cls, number: int, otherwise: "ErrorCode") -> "ErrorCode":
        """The code that another node tells; ``otherwise`` where it tells none, or one that there is not."""
        return cls(number) if number and number in cls._value2member_map_ else otherwise


def shortened(value: object, most: int = 300) -> str:
    """A value as text for one line of a log, however long it is."""
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def coded(code: ErrorCode, message: str) -> str:
    """The line that an operator reads: the code by name and number, then the sentence."""
    return f"[{code.name} {int(code)}] {message}"


class VitalError(Exception):
    """A refusal with its code; ``str(error)`` is the operator's sentence."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple:
        """Whole on its way out of another process."""
        return VitalError, (self.code, self.message)

    def __str__(self) -> str:
        return coded(self.code, self.message)
