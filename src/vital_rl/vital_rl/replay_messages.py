"""A stored episode as a message, both ways: the steps travel as they lie on disk."""

import itertools
import json
from array import array
from collections.abc import Sequence

import numpy as np

from vital_interfaces.msg import StoredEpisode as EpisodeMessage
from vital_policy.rollout import ReplayStep
from vital_rl.replay_step import from_bytes
from vital_rl.replay_store import StoredEpisode


def stored_message(episode: StoredEpisode, records: Sequence[bytes]) -> EpisodeMessage:
    """Inverse of `stored_episode`, from the steps as they lie on disk."""
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


def stored_episode(message: EpisodeMessage) -> tuple[StoredEpisode, list[ReplayStep]]:
    """The episode and its steps."""
    episode = StoredEpisode(
        message.episode, json.loads(message.about), 0, [], message.reason, message.terminated, message.success
    )
    ends = np.cumsum([0, *message.lengths])
    data = bytes(message.steps)
    return episode, [from_bytes(data[a:b]) for a, b in itertools.pairwise(ends)]
