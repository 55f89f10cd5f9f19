"""Kills a recorder at random moments and cuts recordings at random bytes, and prints what survived.

./vital shell -c "python bench/recording_safety.py --kills 100 --cuts 1000"

A kill is survived when every acknowledged episode reads back whole and the session can be gone on with; a cut when
the other episodes are untouched and the cut one is either whole or marked as aborted.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message
from rich.progress import track

from vital_core.errors import VitalError
from vital_data.convert.messages import messages_of
from vital_data.dataset import synthetic
from vital_data.files import layout
from vital_data.files.episode_reader import read_episode
from vital_data.files.episode_writer import Message
from vital_data.files.session import Session
from vital_data.recording.recorder import Recorder
from vital_data.recording.repair import repair_session

TASK = "usb_insertion"


def messages(frames: int) -> list[Message]:
    """A made-up demonstration of ``frames`` images."""
    return [
        Message(topic, f"{type(m).__module__.split('.')[0]}/msg/{type(m).__name__}", serialize_message(m), ns, ns)
        for topic, ns, m in messages_of(synthetic.streams(frames))
    ]


def record(recorder: Recorder, demonstration: list[Message], pace_s: float = 0.0) -> int:
    """One episode; its index once it is acknowledged."""
    for message in demonstration[:200]:
        recorder.put(message)
    recorder.start({})
    for i, message in enumerate(demonstration):
        recorder.put(message)
        if pace_s and i % 20 == 0:
            time.sleep(pace_s)
    return recorder.finish("success").index


def child(folder: Path) -> None:
    """Records until it is killed, and says which episodes it has been told are safe."""
    demonstration = messages(60)
    recorder = Recorder(folder, TASK, {})
    print("ready", flush=True)
    while True:
        print(record(recorder, demonstration, 0.002), flush=True)


def kill_once(folder: Path, rng: np.random.Generator) -> tuple[int, int, int, bool]:
    """Acknowledged, had back as aborted, images had back, and whether nothing acknowledged was lost."""
    before = {e.index for e in Session.open(folder).episodes()} if (folder / layout.SESSION_FILE).is_file() else set()
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", str(folder)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(rng.uniform(0.0, 1.0))
    process.send_signal(signal.SIGKILL)
    spoken = {int(line) for line in process.stdout.read().split()}
    process.wait()
    repaired = repair_session(folder)
    entries = {e.index: e for e in Session.open(folder).episodes()}
    whole = all(entries[i].outcome == "success" and len(read_episode(entries[i].path).streams) > 4 for i in spoken)
    return len(spoken), len(repaired), sum(r.frames for r in repaired), whole and before <= set(entries)


def kills(count: int, rng: np.random.Generator) -> None:
    """Print how ``count`` kills went."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "session"
        done = [kill_once(folder, rng) for _ in track(range(count), "kill -9")]
        session = Session.open(folder)
        sound = sum(len(read_episode(e.path).streams) > 4 for e in session.episodes() if e.usable)
        usable = sum(e.usable for e in session.episodes())
    acknowledged, aborted, images, safe = (sum(column) for column in zip(*done, strict=True))
    print(f"kill -9 at a random moment: {count} times, {safe} without loss of anything acknowledged")
    print(f"  {acknowledged} episodes acknowledged, {usable} usable in the end, {sound} of them read back whole")
    print(f"  {aborted} open episodes had back in part ({images} images), marked aborted")


def cuts(count: int, rng: np.random.Generator) -> None:
    """Print how ``count`` truncations went."""
    outcomes = {"whole": 0, "aborted": 0, "other episode harmed": 0, "exception": 0}
    images, possible = 0, 0
    with tempfile.TemporaryDirectory() as parent:
        original = Path(parent) / "original"
        recorder, demonstration = Recorder(original, TASK, {}), messages(60)
        for _ in range(2):
            record(recorder, demonstration)
        whole = layout.episode_path(original, 0).read_bytes()
        other = layout.episode_path(original, 1).read_bytes()
        for i in track(range(count), "cut"):
            folder = Path(parent) / f"cut{i}"
            shutil.copytree(original, folder)
            length = int(rng.integers(0, len(whole)))
            layout.episode_path(folder, 0).write_bytes(whole[:length])
            try:
                repaired = repair_session(folder)
                entry = Session.open(folder).episodes()[0]
                images += sum(r.frames for r in repaired)
                possible += round(60 * length / len(whole))
                harmed = layout.episode_path(folder, 1).read_bytes() != other
                name = "other episode harmed" if harmed else "aborted" if entry.outcome == "aborted" else "whole"
                outcomes[name] += 1
            except (VitalError, OSError) as error:
                outcomes["exception"] += 1
                print(f"cut at {length}: {error}")
            shutil.rmtree(folder)
    print(f"truncated at a random byte: {count} times: {outcomes}")
    print(f"  {images} of some {possible} images before the cuts had back")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
    rng = np.random.default_rng(options.seed)
    kills(options.kills, rng)
    cuts(options.cuts, rng)


if __name__ == "__main__":
    main()
