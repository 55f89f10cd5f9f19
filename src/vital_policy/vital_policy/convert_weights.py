"""Gives checkpoints of the version without a hash theirs, each in its place, whole or not at all.

`ros2 run vital_policy convert_weights FILE_OR_FOLDER...`: what has a hash already is left as it is, so the command can
be given again. Residuals, reports and cards know a converted file by the SHA-256 that it had.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_policy.checkpoint import convert_checkpoint

KEY = "policy"  # in the metadata of checkpoints, and of no other weights


def _source(path: Path) -> Source:
    return Source(str(path), ErrorCode.BAD_CHECKPOINT, "give weights of this kind, or a folder of them")


def _metadata(path: Path) -> weight_file.Metadata:
    return weight_file.read_header(path, _source(path)).metadata


def check_kind(path: Path, key: str) -> None:
    """Raises VitalError(BAD_CHECKPOINT) for weights whose metadata have no ``key``, and for what holds none."""
    if key not in (metadata := _metadata(path)):
        raise _source(path).refuse(f"has no '{key}' in its header, but {', '.join(sorted(metadata)) or 'nothing'}")


def files_of_kind(paths: Sequence[Path], key: str) -> Iterator[Path]:
    """The files given, and of a folder the weights with ``key`` in their metadata; a training's states are not."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.glob("*.safetensors")):
            if file.stem.endswith(".state") or file.name.startswith("state_"):
                continue
            try:
                other = key not in _metadata(file)
            except VitalError:
                other = False  # whoever converts it says what is wrong
            if not other:
                yield file


def convert_all(files: Iterator[Path], convert: Callable[[Path], bool], log: logging.Logger) -> int:
    """Convert each, saying so; how many were refused."""
    refused = 0
    for path in files:
        try:
            log.info("%s %s", path, "converted" if convert(path) else "has its hash already")
        except VitalError as error:
            refused += 1
            log.error("%s", error)
    return refused


def convert(path: Path) -> bool:
    """Convert a checkpoint; False where it has its hash. Raises VitalError, the file is then as it was."""
    check_kind(path, KEY)
    return convert_checkpoint(path)


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: a file was refused; the others are converted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="convert_weights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", help="checkpoints, or folders of them")
    options = parser.parse_args(arguments)
    refused = convert_all(files_of_kind(options.paths, KEY), convert, logging.getLogger("convert_weights"))
    sys.exit(2 if refused else 0)


if __name__ == "__main__":
    main()
