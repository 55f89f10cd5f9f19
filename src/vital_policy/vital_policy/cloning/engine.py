"""Where training runs: two cores, a GPU, or several by `torchrun`, with the same trainer (Lightning Fabric)."""

import logging

import torch
from lightning_fabric import Fabric

from vital_core.errors import ErrorCode, VitalError

DEVICES = ("auto", "cpu", "cuda")
log = logging.getLogger(__name__)


def engine(device: str = "cpu", *, bf16: bool = False, processes: int = 1) -> Fabric:
    """A launched engine of ``processes`` processes on ``device``; `auto` takes GPUs where there are some.

    Started by `torchrun --nproc-per-node N`, each process joins the others. Raises VitalError(BAD_PARAMETER).
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise VitalError(ErrorCode.BAD_PARAMETER, "there is no CUDA device here: leave --device out, or give cpu")
    precision = "bf16-mixed" if bf16 else "32-true"
    fabric = Fabric(accelerator=device, devices=processes, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    if fabric.world_size > 1:
        log.info("process %d of %d on %s", fabric.global_rank + 1, fabric.world_size, fabric.device)
    return fabric
