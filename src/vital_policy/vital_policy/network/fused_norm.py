"""Fused normalisation and pooling for training in bfloat16 on a CPU; the plain PyTorch operators elsewhere.

`enable` compiles the kernels once (about half a minute, kept in the user's cache, where checkouts with the same source
share them; other sources, processors and versions of PyTorch have their own). Without a compiler training still runs,
more slowly.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

LANES = 32
_SOURCE = Path(__file__).with_name("fused_norm.cpp")
_FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp"]
_kernels: Any = None


def enable() -> bool:
    """Compile and use the kernels; False, with a line in the log, where that cannot be done."""
    global _kernels
    if _kernels is not None:
        return True
    from torch.utils import cpp_extension

    try:
        source = _SOURCE.read_text()
        _kernels = cpp_extension.load_inline(build_name(source), [source], extra_cflags=_FLAGS)
    except (RuntimeError, OSError, ImportError) as error:
        reason = str(error).splitlines()[0]
        logging.getLogger(__name__).warning("training without the fused kernels, at about half speed: %s", reason)
        return False
    return True


def build_name(source: str) -> str:
    """Name of what is compiled: the same for one source, processor and version of PyTorch, wherever the source lies."""
    instructions = sorted(name for name, there in torch.cpu.get_capabilities().items() if there is True)
    made_of = json.dumps([source, _FLAGS, str(torch.__version__), instructions])
    return f"vital_fused_norm_{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


def disable() -> None:
    """Use PyTorch's own operators again."""
    global _kernels
    _kernels = None


class _NormRelu(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, norm: nn.GroupNorm, relu: bool
    ) -> Tensor:
        added = shortcut if shortcut is not None else x.new_empty(0)
        y, statistics = _kernels.norm_forward(x, weight, bias, added, norm.num_groups, norm.eps, relu)
        ctx.save_for_backward(x, y, weight, statistics)
        ctx.settings = norm.num_groups, relu, shortcut is not None
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight, statistics = ctx.saved_tensors
        gx, gw, gb, gs = _kernels.norm_backward(gradient, x, y, weight, statistics, *ctx.settings)
        return gx, gw, gb, gs if ctx.settings[2] else None, None, None


class _MaxPool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y, taken = _kernels.pool_forward(x)
        ctx.save_for_backward(taken)
        ctx.size = x.shape[2:]
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _kernels.pool_backward(gradient, *ctx.saved_tensors, *ctx.size)


def _fits(x: Tensor) -> bool:
    return (
        _kernels is not None
        and x.dtype == torch.bfloat16
        and x.shape[1] % LANES == 0
        and x.is_contiguous(memory_format=torch.channels_last)
    )


def norm_relu(x: Tensor, norm: nn.GroupNorm, shortcut: Tensor | None = None, *, relu: bool = True) -> Tensor:
    """relu(norm(x) + shortcut) of (B, C, H, W) maps; without the shortcut or the ReLU where not wanted."""
    if _fits(x) and (shortcut is None or _fits(shortcut)):
        return _NormRelu.apply(x, norm.weight, norm.bias, shortcut, norm, relu)
    y = norm(x)
    y = y if shortcut is None else y + shortcut
    return F.relu(y) if relu else y


def max_pool(x: Tensor) -> Tensor:
    """3x3 maximum with stride 2 and padding 1 of (B, C, H, W) maps without negative values (after a ReLU)."""
    return _MaxPool.apply(x) if _fits(x) else F.max_pool2d(x, 3, stride=2, padding=1)
