"""Gives pointing weights of the version without a hash theirs, in their place, whole or not at all.

`ros2 run vital_vlm_reach convert_weights FILE...`: what has a hash already is left as it is.
"""

import argparse
import logging
import sys
from pathlib import Path

from vital_core.errors import VitalError
from vital_vlm_reach.pointing.embedded import convert_pointing

log = logging.getLogger("convert_weights")


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: a file was refused; the others are converted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="convert_weights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", help="pointing.safetensors")
    refused = 0
    for path in parser.parse_args(arguments).files:
        try:
            log.info("%s %s", path, "converted" if convert_pointing(path) else "has its hash already")
        except VitalError as error:
            refused += 1
            log.error("%s", error)
    sys.exit(2 if refused else 0)


if __name__ == "__main__":
    main()
