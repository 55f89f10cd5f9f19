"""Where training runs: two cores, a GPU, or several by `torchrun`, with the same trainer (Lightning Fabric)."""

import logging

import torch
from lightning_fabric import Fabric

from vital_core.errors import ErrorCode, VitalError

DEVICES = ("auto", "cpu", "cuda")
log = logging.getLogger(__name__)


def device_of(device: str) -> str:
    """`cuda` or `cpu`; `auto` takes GPUs where there are some. Raises VitalError(BAD_PARAMETER) where a GPU is not."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise VitalError(ErrorCode.BAD_PARAMETER, "there is no CUDA device here: leave --device out, or give cpu")
    return device


def engine(device: str = "cpu", *, precision: str = "float32", processes: int = 1) -> Fabric:
    """A launched engine of ``processes`` processes on a device as in `device_of`.

    Started by `torchrun --nproc-per-node N`, each process joins the others. Raises VitalError(BAD_PARAMETER).
    """
    device = device_of(device)
    mixed = "bf16-mixed" if precision == "bfloat16" else "32-true"
    fabric = Fabric(accelerator=device, devices=processes, precision=mixed)  # type: ignore[arg-type]
    fabric.launch()
    if fabric.world_size > 1:
        log.info("process %d of %d on %s", fabric.global_rank + 1, fabric.world_size, fabric.device)
    return fabric
