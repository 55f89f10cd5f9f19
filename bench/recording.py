"""What recording costs: bytes per episode, the writer's CPU time, the longest time a message waited or a caller did.

./vital shell -c "python bench/recording.py"

Plays a made-up demonstration into the recorder at its own pace (30 pictures, 100 tactile readings, 100 joint states
a second), as the recorder's node does with what comes over ROS.
"""

import argparse
import tempfile
import time
from pathlib import Path

from recording_safety import TASK, messages

from vital_data.recorder import Recorder
from vital_data.session import Session


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--episodes", type=int, default=2)
    options = parser.parse_args()
    demonstration = messages(int(30 * options.seconds))
    first_ns = min(m.stamp_ns for m in demonstration)
    longest_put_s = 0.0
    with tempfile.TemporaryDirectory() as parent:
        recorder = Recorder(Path(parent) / "session", TASK, {})
        cpu_s, finish_s = 0.0, []
        for _ in range(options.episodes):
            for message in demonstration[:300]:
                recorder.put(message)
            recorder.start({})
            cpu_start, start_s = time.process_time(), time.monotonic()
            for message in sorted(demonstration, key=lambda m: m.stamp_ns):
                time.sleep(max(0.0, start_s + (message.stamp_ns - first_ns) * 1e-9 - time.monotonic()))
                before_s = time.monotonic()
                recorder.put(message)
                longest_put_s = max(longest_put_s, time.monotonic() - before_s)
            cpu_s += time.process_time() - cpu_start
            before_s = time.monotonic()
            recorder.finish("success")
            finish_s.append(time.monotonic() - before_s)
        entries = Session.open(recorder.folder).episodes()
        size = sum(entry.bytes for entry in entries) / len(entries)
    seconds = options.seconds * options.episodes
    print(
        f"bytes per episode of {options.seconds:.0f} s: {size / 1e6:.1f} MB ({size / options.seconds / 1e6:.2f} MB/s)"
    )
    print(f"CPU of the recording process: {100 * cpu_s / seconds:.1f} % of a core")
    print(f"longest time that handing over a message took: {1000 * longest_put_s:.2f} ms")
    print(f"longest time that a message waited for the disk: {1000 * recorder.longest_wait_s:.1f} ms")
    print(f"finishing an episode (sync, read back, check): {1000 * max(finish_s):.0f} ms at most")


if __name__ == "__main__":
    main()
