"""Measures the training set: how fast recorded sessions load, how fast batches come out of it, and what they weigh.

    ./vital shell -c "python bench/dataset.py [session ...]"

Without a session, 32 made-up demonstrations of 250 frames are written first: smooth images with a little grain,
all streams of a recording at their rates.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.dataset.dataset import load_demonstrations
from vital_data.files import layout
from vital_data.files.session import Session

TASK, EPISODES, FRAMES, BATCH = "usb_insertion", 32, 250, 64


def made_up_session(folder: Path) -> Path:
    """A session of 32 made-up demonstrations."""
    writer = SessionWriter(folder / "session", TASK, {})
    for number in range(EPISODES):
        writer.add(synthetic.streams(FRAMES, number), {})
    return writer.folder


def measure(session: Path, repeats: int) -> None:
    """Print the figures of one session."""
    task = Session.open(session).task
    times, cpu = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        demos = load_demonstrations(session, task)
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    sizes = [path.stat().st_size for path in session.glob(f"*{layout.EPISODE_SUFFIX}")]
    rng, start, batches = np.random.default_rng(0), time.perf_counter(), 0
    while time.perf_counter() - start < 1.0:
        index = rng.integers(0, len(demos), BATCH)
        _ = demos.image[index], demos.tactile_ut[index], demos.actions[index], demos.mask[index]
        batches += 1
    rate = batches * BATCH / (time.perf_counter() - start)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{session.name}: {demos.episodes} episodes, {len(demos)} observations loaded in {np.median(times):.2f} s "
        f"(least {min(times):.2f} s, {np.median(cpu):.2f} s of CPU, {os.cpu_count()} cores), "
        f"{demos.episodes / np.median(times):.0f} episodes/s; {rate:.0f} samples/s in batches of {BATCH}; "
        f"{np.mean(sizes) / 1e6:.2f} MB an episode on disk, {demos.image.nbytes / 1e6:.0f} MB of images in memory, "
        f"peak {peak_mb:.0f} MB; {demos.label.value} actions, {sum(demos.refused.values())} frames left out"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path, nargs="*")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for session in options.session or [made_up_session(Path(folder))]:
            measure(session, options.repeats)


if __name__ == "__main__":
    main()
