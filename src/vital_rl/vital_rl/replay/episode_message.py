"""A stored episode as a message, both ways: the steps travel as they lie on disk."""

import itertools
import json
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from vital_core.errors import ErrorCode
from vital_core.files import schema
from vital_core.files.schema import Source
from vital_interfaces.msg import StoredEpisode as EpisodeMessage
from vital_rl.replay.replay_store import StoredEpisode
from vital_rl.replay.step import ReplayStep, from_record


def to_message(episode: StoredEpisode, records: Sequence[bytes]) -> EpisodeMessage:
    """Inverse of `from_message`, from the steps as they lie on disk."""
    message = EpisodeMessage(
        episode=episode.number,
        about=json.dumps(dict(episode.about)),
        reason=episode.reason,
        terminated=episode.terminated,
        success=bool(episode.success),
    )
    message.lengths = [len(record) for record in records]
    message.steps = array("B", b"".join(records))
    return message


def from_message(message: EpisodeMessage) -> tuple[StoredEpisode, list[ReplayStep]]:
    """The episode and its steps. Raises VitalError(BAD_RECORDING or BAD_OBSERVATION)."""
    source = Source(f"stored episode {message.episode}", ErrorCode.BAD_RECORDING, "is the replay of this version?")
    about = schema.from_json(message.about, dict[str, Any], source)
    episode = StoredEpisode(message.episode, about, 0, [], message.reason, message.terminated, message.success)
    ends = np.cumsum([0, *message.lengths], dtype=np.int64)
    records = bytes(message.steps)
    if ends[-1] != len(records):
        raise source.refuse(f"has {len(records)} bytes of steps, expected {ends[-1]} from their lengths")
    return episode, [from_record(records[a:b]) for a, b in itertools.pairwise(ends)]
