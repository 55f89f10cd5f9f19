"""The recorder's state as a message."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from vital_core.errors import ErrorCode
from vital_interfaces.msg import RecordingState, StreamStatus
from vital_interfaces.srv import FinishEpisode

OUTCOMES = {
    FinishEpisode.Request.SUCCESS: "success",
    FinishEpisode.Request.FAILURE: "failure",
    FinishEpisode.Request.REDO: "redo",
}
FAULTS = (ErrorCode.DISK_FULL, ErrorCode.BAD_RECORDING)


class Recording(Protocol):
    """A recorder, as those see it who tell of it; the members are those of `Recorder`."""

    @property
    def folder(self) -> Path: ...
    @property
    def task(self) -> str: ...
    @property
    def episode(self) -> int: ...
    @property
    def saved(self) -> int: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def bytes(self) -> int: ...
    @property
    def longest_wait_s(self) -> float: ...
    @property
    def recording(self) -> bool: ...
    @property
    def failure(self) -> BaseException | None: ...
    @property
    def faults(self) -> Iterable[str]: ...
    def streams(self) -> Iterable[Any]: ...


def state_message(recorder: Recording, code: ErrorCode, message: str, stamp: Time) -> RecordingState:
    """code, message: of the last refusal; OK and empty without one."""
    state = RecordingState(header=Header(stamp=stamp), phase=_phase(recorder, code))
    state.session, state.task, state.episode = str(recorder.folder), recorder.task, recorder.episode
    state.episodes_saved, state.duration_s, state.bytes = recorder.saved, recorder.duration_s, recorder.bytes
    state.longest_stall_s, state.error_code = recorder.longest_wait_s, int(code)
    state.message, state.faults = message, list(recorder.faults)
    if recorder.recording:
        state.streams = [
            StreamStatus(
                name=r.topic,
                rate_hz=r.rate_hz,
                expected_hz=r.expected_hz,
                received=r.received,
                dropped=r.dropped,
                longest_gap_s=r.longest_gap_s,
            )
            for r in recorder.streams()
        ]
    return state


def _phase(recorder: Recording, code: ErrorCode) -> int:
    if recorder.failure is not None or code in FAULTS:
        return RecordingState.FAULT
    return RecordingState.RECORDING if recorder.recording else RecordingState.IDLE
