"""Writes checkpoints as ONNX files, for whoever runs them without PyTorch or ROS.

`ros2 run vital_policy export_onnx FILE_OR_FOLDER... [--out FOLDER]`: one `<name>.onnx` a checkpoint, from image (uint8)
and touch (µT) to actions in m and rad; `vital_policy.runtime.onnx_graph` says what goes in and out. Each is run once
and compared with PyTorch before it is written.
"""

import argparse
import logging
import sys
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_policy.checkpoint import load_checkpoint
from vital_policy.convert_weights import KEY, files_of_kind
from vital_policy.runtime.choice import compared, exported
from vital_policy.runtime.network import OnnxNetwork

EXIT_REFUSED = 2
log = logging.getLogger("export_onnx")


def export(path: Path, folder: Path) -> tuple[Path, float]:
    """The file that was written for a checkpoint, and how far its answers are from PyTorch's, normalised.

    Raises VitalError: as `load_checkpoint`, BAD_CHECKPOINT where the answers are others, BAD_PARAMETER where the file
    cannot be written.
    """
    checkpoint, out = load_checkpoint(path), folder / f"{path.stem}.onnx"
    safe_file.check_writable(out, "--out")
    graph = exported(checkpoint)
    apart = compared(OnnxNetwork(graph), checkpoint)
    try:
        safe_file.write_bytes(out, graph)
    except OSError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{out} cannot be written ({error}): give another --out") from error
    return out, apart


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: one was refused; the others are written."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="export_onnx", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", help="checkpoints, or folders of them")
    parser.add_argument("--out", type=Path, help="folder of the ONNX files (default: beside each checkpoint)")
    options = parser.parse_args(arguments)
    refused = 0
    for path in files_of_kind(options.paths, KEY):
        try:
            out, apart = export(path, options.out or path.parent)
            log.info("wrote %s: %.1f MB, answers within %.0e of PyTorch's", out, out.stat().st_size / 1e6, apart)
        except VitalError as error:
            refused += 1
            log.error("%s", error)
    sys.exit(EXIT_REFUSED if refused else 0)


if __name__ == "__main__":
    main()
