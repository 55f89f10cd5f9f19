"""A pretrained model of a checked folder, loaded: its network, and what prepares words and images for it.

The library is an extra and is imported here. Every weight comes from the folder's files, none is made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_vlm_reach.pointing.model_folder import ModelFolder, need_transformers
from vital_vlm_reach.pointing.questions import dialect

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class TransformersSettings:
    """Which model runs here and how.

    model: a folder, or a hub name with revision, its commit. device: auto, cpu, cuda or cuda:N. dtype: auto (bfloat16
    on a GPU, else float32) or one of `DTYPES`. dialect: auto, or how a vision-language model is asked. timeout_s: for
    one answer. threshold: the least score of a detector's boxes.
    """

    model: str
    revision: str = "none"
    device: str = "auto"
    dtype: str = "auto"
    dialect: str = "auto"
    timeout_s: float = 10.0
    threshold: float = 0.25

    def __post_init__(self) -> None:
        if self.dtype != "auto" and self.dtype not in DTYPES:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"there is no dtype '{self.dtype}', expected auto or {_names(DTYPES)}"
            )
        if self.dialect != "auto":
            dialect(self.dialect, "")
        if not 0.0 < self.timeout_s <= 120.0 or not 0.0 < self.threshold < 1.0:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"time-out {self.timeout_s:g} s and threshold {self.threshold:g}, expected 0 to 120 and 0 to 1",
            )

    def chosen_device(self) -> torch.device:
        """Raises VitalError(BAD_PARAMETER) for a device that this machine has not."""
        name = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"'{shortened(name, 40)}' is no device: cpu or cuda") from error
        if device.type not in ("cpu", "cuda") or (
            device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
        ):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"this machine has no device {device}: use pointing_device:=cpu")
        return device

    def chosen_dtype(self, device: torch.device) -> torch.dtype:
        """As given, else what suits the device."""
        if self.dtype == "auto":
            return torch.float32 if device.type == "cpu" else torch.bfloat16
        return DTYPES[self.dtype]


def _names(known: Mapping[str, Any]) -> str:
    return ", ".join(known)


def found(settings: TransformersSettings) -> ModelFolder:
    """The folder that the settings name, the library there and quiet.

    Raises VitalError: BAD_PARAMETER, NO_CHECKPOINT, BAD_CHECKPOINT.
    """
    need_transformers()
    from transformers.utils import logging as library_log

    library_log.set_verbosity_error()
    library_log.disable_progress_bar()
    return ModelFolder.find(settings.model, settings.revision)


def loaded(automatic: Any, folder: ModelFolder, settings: TransformersSettings) -> torch.nn.Module:
    """The network with every weight from its file. Raises VitalError(BAD_CHECKPOINT)."""
    device = settings.chosen_device()
    try:
        model, told = automatic.from_pretrained(
            folder.path,
            dtype=settings.chosen_dtype(device),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        model = model.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise bad_model(
            folder, f"it does not fit the memory of {device}: take a smaller one, or serve it elsewhere"
        ) from error
    except Exception as error:
        raise bad_model(folder, f"it cannot be loaded ({type(error).__name__}: {shortened(error, 160)})") from error
    if missing := sorted(told["missing_keys"]):
        raise bad_model(folder, f"{len(missing)} weights are not in its files, among them {missing[0]}: copy it again")
    if odd := [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]:
        raise bad_model(folder, f"{odd[0]} holds values that are not finite: copy it again")
    return model


def processor_part(automatic: Any, folder: ModelFolder, **given: Any) -> Any:
    """A tokenizer, an image processor or both, of a folder. Raises VitalError(BAD_CHECKPOINT)."""
    try:
        return automatic.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True, **given)
    except Exception as error:
        raise bad_model(folder, f"{automatic.__name__}: {type(error).__name__}: {shortened(error, 160)}") from error


def bad_model(folder: ModelFolder, why: str) -> VitalError:
    """The refusal of a folder."""
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"the model in {folder.path}: {why}")


def placed(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """On the network's device, and numbers with a point in its precision."""
    return value.to(like.device, like.dtype) if value.is_floating_point() else value.to(like.device)
