"""Names in a session's folder: one description, one MCAP file an episode, and an index that is written last."""

import re
from pathlib import Path

SESSION_FORMAT = "vital_session/1"
SESSION_FILE = "session.json"
INDEX_FILE = "index.jsonl"
EPISODE_SUFFIX = ".mcap"
# Added while an episode is being written.
PART_SUFFIX = ".part"
# Of a damaged file that was repaired, kept beside the repaired one.
BROKEN_SUFFIX = ".broken"
_EPISODE = re.compile(r"episode_(\d{4,9})\.mcap")
# Name of the MCAP metadata record that says what an episode is of.
EPISODE_METADATA = "vital_episode"


def episode_path(folder: Path, index: int) -> Path:
    """File of an episode."""
    return folder / f"episode_{index:04d}{EPISODE_SUFFIX}"


def part_path(episode: Path) -> Path:
    """The file of an episode while it is not whole."""
    return episode.with_name(episode.name + PART_SUFFIX)


def episode_number(path: Path, suffix: str = "") -> int | None:
    """The number of an episode's file, with another ``suffix`` added to its name; None for any other name."""
    found = _EPISODE.fullmatch(path.name.removesuffix(suffix)) if path.name.endswith(suffix) else None
    if found is None or episode_path(path.parent, int(found[1])).name != found[0]:
        return None
    return int(found[1])


def episode_files(folder: Path, suffix: str = "") -> list[Path]:
    """The regular files of episodes in a folder, in order."""
    found = [(n, p) for p in folder.iterdir() if (n := episode_number(p, suffix)) is not None]
    return [path for _, path in sorted(found) if path.is_file()]


def strays(folder: Path) -> list[Path]:
    """What is named like an episode's file and is none."""
    suffixes = ("", PART_SUFFIX, BROKEN_SUFFIX)
    known = {path for suffix in suffixes for path in episode_files(folder, suffix)}
    return sorted(path for path in folder.glob("episode_*") if path not in known)
