"""What matrix products are made in: asked of the processor, not assumed."""

import torch

PRECISIONS = ("float32", "bfloat16")


def fastest_precision(device: str = "cpu") -> str:
    """bfloat16 where there are instructions for it (more than twice as fast), else float32.

    device: `cpu` or `cuda`. A processor without such instructions takes ten times as long in bfloat16 as in float32.
    """
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "float32"
