"""One closing line, in pytest's words, for several runs of it: reads their JUnit files."""

import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path


def summary(files: list[Path]) -> str:
    """Line that adds up what the runs counted; a run that wrote no file adds nothing."""
    counts: Counter[str] = Counter()
    seconds = 0.0
    for suite in (suite for file in files if file.exists() for suite in ET.parse(file).iter("testsuite")):
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        counts["failed"] += number["failures"]
        counts["passed"] += number["tests"] - number["failures"] - number["errors"] - number["skipped"]
        counts["skipped"] += number["skipped"]
        counts["errors"] += number["errors"]
        counts["run again"] += max(0, len(list(suite.iter("testcase"))) - number["tests"])
        seconds += float(suite.get("time", 0.0))
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "no tests ran"
    return f"{told} in {seconds:.2f}s ({int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d})"


if __name__ == "__main__":
    print(summary([Path(name) for name in sys.argv[1:]]))
