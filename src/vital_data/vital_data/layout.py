"""Names in a session's folder: one description, one MCAP file an episode, and an index that is written last."""

from pathlib import Path

SESSION_FORMAT = "vital_session/1"
SESSION_FILE = "session.json"
INDEX_FILE = "index.jsonl"
EPISODE_SUFFIX = ".mcap"
# Added while an episode is being written.
PART_SUFFIX = ".part"
# Name of the MCAP metadata record that says what an episode is of.
EPISODE_METADATA = "vital_episode"


def episode_path(folder: Path, index: int) -> Path:
    """File of an episode."""
    return folder / f"episode_{index:04d}{EPISODE_SUFFIX}"


def part_path(episode: Path) -> Path:
    """The file of an episode while it is not whole."""
    return episode.with_name(episode.name + PART_SUFFIX)
