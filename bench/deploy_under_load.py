"""Deploys one trial again and again beside busy processes, and counts the deployments that end in order.

./vital shell -c "python bench/deploy_under_load.py --deployments 20 --busy 4"
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def _spin() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that want a core each."""
    running = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(processes)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.join()


def deploy(task: str, seed: int, report: Path, log: Path) -> tuple[int, str]:
    """One deployment of one trial: its exit code, and its one trial's end or the log's last error."""
    report.unlink(missing_ok=True)
    command = ["ros2", "launch", "-n", "vital_bringup", "deploy.launch.py", f"task:={task}", f"seed:={seed}"]
    with log.open("w") as out:
        code = subprocess.run([*command, f"report:={report}"], stdout=out, stderr=out, timeout=400).returncode
    if report.exists():
        return code, "; ".join(json.loads(report.read_text())["summary"]["ends"])
    errors = [line for line in log.read_text().splitlines() if "ERROR" in line or "FATAL" in line]
    return code, errors[-1] if errors else "no report"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=20)
    parser.add_argument("--busy", type=int, default=4)
    parser.add_argument("--task", default="usb_insertion")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("reports/under_load"))
    options = parser.parse_args()
    folder = options.out.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    codes, ends = Counter[int](), Counter[str]()
    with busy(options.busy):
        for i in range(options.deployments):
            start = time.monotonic()
            code, end = deploy(options.task, options.seed + i, folder / f"{i}.json", folder / f"{i}.log")
            codes[code] += 1
            ends[end] += 1
            print(f"{i + 1}: exit code {code}, {end}, {time.monotonic() - start:.0f} s", flush=True)
    print(
        f"{codes[0]} of {options.deployments} ended in order beside {options.busy} busy processes "
        f"on {os.cpu_count()} cores: {dict(ends)}"
    )


if __name__ == "__main__":
    main()
