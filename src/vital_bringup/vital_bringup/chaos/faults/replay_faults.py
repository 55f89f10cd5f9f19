"""The replay killed and its disk full: steps that were acknowledged must be there afterwards, as they were."""

import contextlib
import random
import signal
import sys
import threading
from array import array
from pathlib import Path

import numpy as np

from vital_bringup.chaos.faults.station import (
    BALLAST,
    Client,
    end_in_order,
    fill,
    found,
    note_disk_full,
    note_end,
    small_disk,
)
from vital_bringup.chaos.judgement import Found, Judgement
from vital_bringup.chaos.stack import Stack
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.srv import AppendStep, CloseEpisode, LabelEpisode, OpenEpisode, ReadReplay
from vital_rl.replay import episode_message
from vital_rl.replay.replay_log import CHUNK_BYTES
from vital_rl.replay.step import ReplayStep, to_record

SMALL_DISK_BYTES = 3_000_000
STEPS = 80
NEW_CHUNK_SHARE = 0.3
START_S = 60.0


def _replay_command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "vital_rl.replay.replay_node", "--ros-args", "-p", f"folder:={folder}"]


def _step(draw: np.random.Generator, number: int) -> ReplayStep:
    action = draw.uniform(-0.01, 0.01, 7).astype(np.float32)
    return ReplayStep(
        image=draw.integers(0, 256, (128, 128, 3), dtype=np.uint8),
        tactile_ut=draw.uniform(-100, 100, 15).astype(np.float32),
        base=action,
        residual=0 * action,
        executed=action,
        stamp_ns=number,
        steady_ns=number,
    )


class Appending:
    """Appends steps to a replay, and keeps those that were acknowledged."""

    def __init__(self, client: Client, seed: int) -> None:
        self._client, self._rng = client, np.random.default_rng(seed)
        self.acknowledged: list[ReplayStep] = []
        self.refused: list[tuple[int, str]] = []
        self.episode = -1

    def open(self) -> None:
        """Begin an episode; waits for the node."""
        request = OpenEpisode.Request(task="usb_insertion", seed=1, about="{}")
        answer = self._client.ask(OpenEpisode, "/vital/replay/open", request, START_S)
        if not answer.success:
            raise VitalError(ErrorCode(answer.error_code), answer.message)
        self.episode = answer.episode

    def append(self) -> bool:
        """One more step; whether it was acknowledged."""
        step = _step(self._rng, len(self.acknowledged))
        record = to_record(self.episode, len(self.acknowledged), step)
        request = AppendStep.Request(record=array("B", record))
        answer = self._client.ask(AppendStep, "/vital/replay/append", request, 5.0)
        if answer.success:
            self.acknowledged.append(step)
        else:
            self.refused.append((answer.error_code, answer.message))
        return bool(answer.success)

    def lost(self, client: Client) -> str | None:
        """What of the acknowledged steps ``client`` does not read back as it was."""
        with contextlib.suppress(VitalError):
            request = CloseEpisode.Request(episode=self.episode, reason="campaign")
            client.ask(CloseEpisode, "/vital/replay/close", request)
        label = LabelEpisode.Request(episode=self.episode, succeeded=False, source="chaos", relabel=True)
        client.ask(LabelEpisode, "/vital/label_episode", label, START_S)
        answer = client.ask(ReadReplay, "/vital/replay/read", ReadReplay.Request(episodes=[self.episode]), 30.0)
        if not answer.found:
            return f"episode {self.episode} with {len(self.acknowledged)} acknowledged steps is not there"
        _, steps = episode_message.from_message(answer.found[0])
        if len(steps) < len(self.acknowledged):
            return f"{len(self.acknowledged)} steps were acknowledged, {len(steps)} are there"
        same = all(
            np.array_equal(a.image, b.image) and np.array_equal(a.executed, b.executed)
            for a, b in zip(self.acknowledged, steps, strict=False)
        )
        return None if same else "a step that was acknowledged is another one"


def replay_killed(folder: Path, domain: int, draw: random.Random) -> Found:
    """SIGKILL to the replay between two acknowledgements, or in the middle of one; started again."""
    store, log = folder / "replay", folder / "log.txt"
    number = draw.choice((signal.SIGKILL, signal.SIGTERM))
    steps = draw.randint(1, STEPS // 2)
    judgement = Judgement()
    stack = Stack(folder, domain, _replay_command(store))
    client = Client(domain)
    try:
        appending = Appending(client, draw.getrandbits(30))
        appending.open()
        killer = threading.Timer(draw.uniform(0.0, 0.02), stack.signal, (stack.launch.pid, number))
        with contextlib.suppress(VitalError):
            while appending.append():
                if len(appending.acknowledged) == steps:
                    killer.start()
        if killer.ident is None:
            refused = appending.refused or "nothing"
            raise VitalError(ErrorCode.INTERNAL, f"the replay took {len(appending.acknowledged)} steps, then {refused}")
        killer.join()
        code = stack.launch.wait(10.0)
        if number is signal.SIGTERM:
            judgement.note("ended", None if code == 0 else f"exit code {code} after SIGTERM, expected 0")
        again = stack.start(_replay_command(store))
        # A client that never met the dead one, whose endpoints stay known for a while.
        client.close()
        client = Client(domain)
        judgement.note("kept", appending.lost(client))
        note_end(judgement, again)
    finally:
        client.close()
        stack.ended(steady_s(), 5.0)
    parameters = {"signal": number.name, "acknowledged": len(appending.acknowledged)}
    return found(parameters, judgement, log.read_text())


def replay_disk_full(folder: Path, domain: int, draw: random.Random) -> Found:
    """The disk of the replay gets full, in a chunk or just when it begins a new one; it refuses with a code, lives on,
    and takes steps again when there is room."""
    log, judgement = folder / "log.txt", Judgement()
    new_chunk = draw.random() < NEW_CHUNK_SHARE
    acknowledged = 0
    with small_disk(folder / "disk", (CHUNK_BYTES if new_chunk else 0) + SMALL_DISK_BYTES) as disk:
        stack = Stack(folder, domain, _replay_command(disk / "replay"))
        client = Client(domain)
        appending = Appending(client, draw.getrandbits(30))
        try:
            appending.open()
            target_bytes = CHUNK_BYTES if new_chunk else draw.randint(0, SMALL_DISK_BYTES // 2)
            while _bytes_in(disk / "replay") < target_bytes and appending.append():
                pass
            fill(disk, 0 if new_chunk else draw.randint(0, 100_000))
            _until_refused(appending, judgement)
            acknowledged = len(appending.acknowledged)
            if stack.launch.poll() is not None:
                judgement.note("went on", f"the replay ended with exit code {stack.launch.returncode}")
            (disk / BALLAST).unlink()
            if not appending.append():
                judgement.note("went on", "with room again a step is still refused: " + appending.refused[-1][1])
            judgement.note("kept", appending.lost(client))
        except VitalError as error:
            judgement.note("went on", f"the replay does not answer any more ({error})")
        finally:
            client.close()
            end_in_order(stack.launch)
            stack.ended(steady_s(), 5.0)
    note_disk_full(judgement, log.read_text())
    return found({"new_chunk": new_chunk, "acknowledged": acknowledged}, judgement, log.read_text())


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("chunk_*.log"))


def _until_refused(appending: Appending, judgement: Judgement) -> None:
    """Append until a step is refused, which must be with DISK_FULL."""
    for _ in range(STEPS):
        if not appending.append():
            break
    refused = [code for code, _ in appending.refused]
    right = refused == [ErrorCode.DISK_FULL]
    expected = f"expected DISK_FULL ({ErrorCode.DISK_FULL:d})"
    judgement.note("answered", None if right else f"a full disk was answered with {refused}, {expected}")
