"""What the replay node is asked, checked before anything changes, and how it answers."""

from collections.abc import Callable
from typing import Any

from std_msgs.msg import Header

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import schema
from vital_core.files.schema import Name, Source, Text
from vital_interfaces.msg import ReplayState
from vital_interfaces.srv import AppendStep, OpenEpisode, ReadReplay
from vital_rl.replay.replay_store import ReplayStore
from vital_rl.replay.step import from_record
from vital_ros.message_check import no_longer

NO_EPISODE = -1
Plain = Text | float | int | bool | None
MOST_ABOUT_BYTES = 20_000
ABOUT = Source(
    "what the request says about the episode", ErrorCode.BAD_PARAMETER, "give plain text and numbers by name"
)
MOST_READ = 100  # episodes in an answer


def about_of(request: OpenEpisode.Request) -> dict[str, Any]:
    """What is kept with an episode. Raises VitalError(BAD_PARAMETER) when it is no JSON object of plain values."""
    given = schema.from_json(request.about or "{}", dict[Name, Plain], ABOUT, MOST_ABOUT_BYTES)
    return given | {"task": request.task, "seed": request.seed}


def record_of(request: AppendStep.Request) -> bytes:
    """The record of a step that can be. Raises VitalError."""
    record = bytes(request.record)
    from_record(record).check_plausible()
    return record


def few_of(request: ReadReplay.Request) -> ReadReplay.Request:
    """No more episodes than an answer can hold."""
    no_longer("episodes", request.episodes, MOST_READ)
    return request


def answering(work: Callable[[Any, Any], None], failed: Callable[[VitalError], None]) -> Callable[[Any, Any], Any]:
    """A service's callback: what ``work`` refuses is in the answer, with its code."""

    def answer(request: Any, response: Any) -> Any:
        try:
            work(request, response)
            response.success = True
        except VitalError as error:
            failed(error)
            response.success, response.error_code, response.message = False, int(error.code), error.message
        return response

    return answer


def state_message(store: ReplayStore, open_episode: int, problem: VitalError, header: Header) -> ReplayState:
    """What the replay holds, and the newest episode that waits for a label."""
    unlabelled = [e.number for e in store.episodes if e.closed and e.success is None and e.worth_a_label]
    return ReplayState(
        header=header,
        cursor=store.cursor,
        episodes=len(store.episodes),
        steps=store.steps,
        steps_ever=store.transitions,
        capacity_steps=store.capacity,
        bytes=store.size_bytes,
        open_episode=open_episode,
        unlabelled=unlabelled[-1] if unlabelled else NO_EPISODE,
        error_code=int(problem.code),
        message=problem.message,
    )
