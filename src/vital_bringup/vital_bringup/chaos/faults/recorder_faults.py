"""The recorder killed and its disk full: an episode that was acknowledged must be whole afterwards."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

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
from vital_core.clock import steady_s, wait_until
from vital_core.errors import ErrorCode, VitalError
from vital_data.files.episode_reader import read_episode
from vital_data.files.session import Session
from vital_interfaces.srv import FinishEpisode, StartEpisode
from vital_ros.process.node_main import EXIT_REFUSED

START_S = 60.0
IMAGES = "/wrist_camera/image_raw"
SESSION_DISK_BYTES = 240_000_000  # a recorder begins with 200 MB free


class RecordedSession:
    """A session that is recorded, and what of it was acknowledged. Methods return a violation or None."""

    def __init__(self, folder: Path, domain: int) -> None:
        self.folder, self._domain = folder, domain
        self._client = Client(domain)
        self.acknowledged: dict[int, int] = {}  # frames by episode

    @property
    def saved(self) -> int:
        """Episodes acknowledged."""
        return len(self.acknowledged)

    def met_again(self) -> None:
        """A client that never met a recorder that is dead, whose endpoints stay known for a while."""
        self._client.close()
        self._client = Client(self._domain)

    def begin(self) -> str | None:
        """Begin an episode; waits until the recorder hears every sensor."""
        request = StartEpisode.Request(task="usb_insertion", operator_name="chaos", device="remote", seed=-1)
        deadline, message = steady_s() + START_S, "no answer"
        while steady_s() < deadline:
            try:
                answer = self._client.ask(StartEpisode, "/vital/record/start", request)
            except VitalError as error:
                message = str(error)
                continue
            if answer.success:
                return None
            message = answer.message
            time.sleep(0.2)
        return f"no episode could be begun within {START_S:.0f} s: {message}"

    def finish(self) -> FinishEpisode.Response:
        """End the episode."""
        request = FinishEpisode.Request(outcome=FinishEpisode.Request.SUCCESS)
        return self._client.ask(FinishEpisode, "/vital/record/finish", request, 20.0)

    def record(self, seconds: float) -> str | None:
        """An episode from begin to acknowledgement."""
        if problem := self.begin():
            return problem
        time.sleep(seconds)
        answer = self.finish()
        if not answer.success:
            return f"an episode was refused: {answer.message}"
        self.acknowledged[answer.episode] = answer.frames
        return None

    def refuses(self) -> str | None:
        """End an episode without room: acknowledged (`lost` then reads it), or refused with DISK_FULL."""
        answer = self.finish()
        if answer.success:
            self.acknowledged[answer.episode] = answer.frames
        elif answer.error_code != ErrorCode.DISK_FULL:
            return (
                f"a full disk was answered with code {answer.error_code} ({answer.message}), "
                f"expected {ErrorCode.DISK_FULL:d}"
            )
        return None

    def lost(self) -> str | None:
        """What of the acknowledged episodes cannot be read whole."""
        entries = {entry.index: entry for entry in Session.open(self.folder).episodes()}
        for number, frames in self.acknowledged.items():
            if number not in entries:
                return f"episode {number} was acknowledged and is not in the index"
            there = len(read_episode(entries[number].path).streams[IMAGES].stamps_ns)
            if there < frames:
                return f"episode {number} was acknowledged with {frames} frames and has {there}"
        return None

    def close(self) -> None:
        """Leave the graph."""
        self._client.close()


def _recorder_command(session: Path) -> list[str]:
    command = [sys.executable, "-m", "vital_data.recording.recorder_node", "--ros-args", "-p", "task:=usb_insertion"]
    return [*command, "-p", f"session:={session}"]


def _record(folder: Path, domain: int, session: Path) -> tuple[Stack, subprocess.Popen]:
    """A recorder, and beside it the sensors of a made-up demonstration that repeats."""
    stack = Stack(folder, domain, _recorder_command(session))
    sensors = stack.start([sys.executable, "-m", "vital_bringup.chaos.made_up_sensors"])
    return stack, sensors


def recorder_killed(folder: Path, domain: int, draw: random.Random) -> Found:
    """SIGKILL to the recorder while it records a second episode: the first is whole, the second is had back."""
    session = RecordedSession(folder / "session", domain)
    judgement = Judgement()
    stack, sensors = _record(folder, domain, session.folder)
    seconds = draw.uniform(0.2, 1.5)
    try:
        judgement.note("kept", session.record(1.5))
        judgement.note("answered", session.begin())
        time.sleep(seconds)
        stack.signal(stack.launch.pid, signal.SIGKILL)
        stack.launch.wait(5.0)
        again = stack.start(_recorder_command(session.folder))
        session.met_again()
        judgement.note("kept", session.record(1.5))
        note_end(judgement, again)
        judgement.note("kept", session.lost())
    finally:
        session.close()
        end_in_order(sensors)
        stack.ended(steady_s(), 5.0)
    return found({"killed_after_s": seconds, "saved": session.saved}, judgement, stack.log.read_text())


def _note_refused_end(judgement: Judgement, code: int | None) -> None:
    """A recorder may end when it cannot write, with the code of a refusal."""
    judgement.note("ended", None if code == EXIT_REFUSED else f"exit code {code}, expected {EXIT_REFUSED}")


def recorder_disk_full(folder: Path, domain: int, draw: random.Random) -> Found:
    """The disk of a session gets full while an episode is recorded: that is refused with a code, or the recorder ends
    with one; the episodes before stay, and with room again it goes on."""
    judgement = Judgement()
    with small_disk(folder / "disk", SESSION_DISK_BYTES) as disk:
        session = RecordedSession(disk / "session", domain)
        stack, sensors = _record(folder, domain, session.folder)
        try:
            judgement.note("kept", session.record(1.5))
            judgement.note("answered", session.begin())
            time.sleep(draw.uniform(0.0, 1.0))
            fill(disk, draw.randint(0, 400_000))
            if wait_until(lambda: stack.launch.poll() is not None, steady_s() + 2.0):
                _note_refused_end(judgement, stack.launch.returncode)
            else:
                judgement.note("answered", session.refuses())
            (disk / BALLAST).unlink()
            recorder = stack.launch
            if recorder.poll() is not None:
                recorder = stack.start(_recorder_command(session.folder))
                session.met_again()
            judgement.note("kept", session.record(1.5))
            judgement.note("kept", session.lost())
            note_end(judgement, recorder)
        finally:
            session.close()
            end_in_order(sensors)
            end_in_order(stack.launch)
            stack.ended(steady_s(), 5.0)
    log = stack.log.read_text()
    note_disk_full(judgement, log)
    return found({"saved": session.saved}, judgement, log)
