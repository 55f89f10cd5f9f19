"""Pretrained models in this process, through the library `transformers`: vision-language models that point.

The library is an extra and is imported when a model is started. Weights are safetensors, every one of them from the
file; no code of a model's folder is run.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_vlm_reach.pointing.answers import Reader, choose
from vital_vlm_reach.pointing.interface import Pointing, PointingModel
from vital_vlm_reach.pointing.model_folder import DETECTOR_TYPES, ModelFolder, has_library, need_transformers
from vital_vlm_reach.pointing.questions import DIALECTS, Dialect, checked_sentence, dialect

MOST_ANSWER_TOKENS = 128
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_DIALECT_OF_TYPE = {"molmo2": "molmo", "qwen2_5_vl": "qwen_pixel"}
_IMAGE_PLACE = "<|image_pad|>"

_log = logging.getLogger(__name__)


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


def start(settings: TransformersSettings) -> PointingModel:
    """The model of a folder, loaded. Raises VitalError: BAD_PARAMETER, NO_CHECKPOINT, BAD_CHECKPOINT."""
    need_transformers()
    from transformers.utils import logging as library_log

    library_log.set_verbosity_error()
    library_log.disable_progress_bar()
    device = settings.chosen_device()
    folder = ModelFolder.find(settings.model, settings.revision)
    _log.info("pointing with %s (%s) on %s", folder.path, folder.model_type, device)
    if folder.model_type in DETECTOR_TYPES:
        from vital_vlm_reach.pointing.detectors import DetectorPointing

        return DetectorPointing.load(folder, settings)
    return VisionLanguagePointing.load(folder, settings)


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
        raise _bad(
            folder, f"it does not fit the memory of {device}: take a smaller one, or serve it elsewhere"
        ) from error
    except Exception as error:
        raise _bad(folder, f"it cannot be loaded ({type(error).__name__}: {shortened(error, 160)})") from error
    if missing := sorted(told["missing_keys"]):
        raise _bad(folder, f"{len(missing)} weights are not in its files, among them {missing[0]}: copy it again")
    if odd := [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]:
        raise _bad(folder, f"{odd[0]} holds values that are not finite: copy it again")
    return model


def processor_part(automatic: Any, folder: ModelFolder, **given: Any) -> Any:
    """A tokenizer, an image processor or both, of a folder. Raises VitalError(BAD_CHECKPOINT)."""
    try:
        return automatic.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True, **given)
    except Exception as error:
        raise _bad(folder, f"{automatic.__name__}: {type(error).__name__}: {shortened(error, 160)}") from error


def _bad(folder: ModelFolder, why: str) -> VitalError:
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"the model in {folder.path}: {why}")


@dataclass(frozen=True)
class Prepared:
    """A question as a model takes it: tensors by name, and width and height of the image as it is seen in px."""

    inputs: Mapping[str, torch.Tensor]
    seen_px: tuple[int, int]


Prepare = Callable[[NDArray[np.uint8], str], Prepared]


class QwenInputs:
    """Image and question for the Qwen-VL family. Its own processor also prepares videos, for which it needs
    torchvision; an image processor and a tokenizer are enough here."""

    def __init__(self, images: Any, tokenizer: Any) -> None:
        self._images, self._tokenizer = images, tokenizer

    @classmethod
    def load(cls, folder: ModelFolder) -> "QwenInputs":
        """Raises VitalError(BAD_CHECKPOINT)."""
        from transformers import AutoImageProcessor, AutoTokenizer

        tokenizer = processor_part(AutoTokenizer, folder)
        if not tokenizer.chat_template:
            raise _bad(folder, "it has no chat template: copy chat_template.jinja or chat_template.json with it")
        return cls(processor_part(AutoImageProcessor, folder, backend="pil"), tokenizer)

    def __call__(self, rgb: NDArray[np.uint8], question: str) -> Prepared:
        """Every patch of the image has a token of its own in the text, where the template left one for all."""
        image = self._images(images=[rgb], return_tensors="pt")
        _, rows, columns = image["image_grid_thw"][0].tolist()
        text = _conversation(self._tokenizer, question)
        if text.count(_IMAGE_PLACE) != 1:
            raise VitalError(ErrorCode.BAD_CHECKPOINT, "the model's chat template has not one place for one image")
        text = text.replace(_IMAGE_PLACE, _IMAGE_PLACE * (rows * columns // self._images.merge_size**2))
        inputs = dict(self._tokenizer([text], return_tensors="pt", add_special_tokens=False))
        inputs.pop("token_type_ids", None)
        at_image = inputs["input_ids"] == self._tokenizer.convert_tokens_to_ids(_IMAGE_PLACE)
        patch = self._images.patch_size
        return Prepared({**inputs, **image, "mm_token_type_ids": at_image.int()}, (columns * patch, rows * patch))


class WholeProcessor:
    """Image and question by the processor that belongs to the model."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    @classmethod
    def load(cls, folder: ModelFolder) -> "WholeProcessor":
        """Raises VitalError: BAD_CHECKPOINT, BAD_PARAMETER where a library is missing."""
        from transformers import AutoProcessor

        if not has_library("torchvision"):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{folder.model_type} prepares images with torchvision, which is not installed: install the one that "
                "belongs to this torch, or serve the model and use pointing:=server",
            )
        return cls(processor_part(AutoProcessor, folder))

    def __call__(self, rgb: NDArray[np.uint8], question: str) -> Prepared:
        """Its answers do not count pixels, so that the size as seen is the image's own."""
        text = _conversation(self._processor, question)
        inputs = self._processor(images=[rgb], text=[text], return_tensors="pt")
        return Prepared(dict(inputs), (rgb.shape[1], rgb.shape[0]))


def _conversation(speaker: Any, question: str) -> str:
    content = [{"type": "image"}, {"type": "text", "text": question}]
    return speaker.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )  # fmt: skip


class VisionLanguagePointing:
    """Points at what a sentence names, by a vision-language model in this process; see `PointingModel`."""

    def __init__(self, model: Any, prepare: Prepare, tokenizer: Any, asked: Dialect, timeout_s: float) -> None:
        self.model, self._prepare, self._tokenizer = model, prepare, tokenizer
        self._dialect, self._timeout_s = asked, timeout_s

    @classmethod
    def load(cls, folder: ModelFolder, settings: TransformersSettings) -> "VisionLanguagePointing":
        """Raises VitalError: BAD_CHECKPOINT, BAD_PARAMETER."""
        from transformers import AutoModelForImageTextToText, AutoTokenizer

        known = _DIALECT_OF_TYPE.get(folder.model_type, "qwen_permille")
        asked = DIALECTS[known if settings.dialect == "auto" else settings.dialect]
        kind = QwenInputs if folder.model_type.startswith("qwen") else WholeProcessor
        prepare = kind.load(folder)
        tokenizer = processor_part(AutoTokenizer, folder)
        model = loaded(AutoModelForImageTextToText, folder, settings)
        return cls(model, prepare, tokenizer, asked, settings.timeout_s)

    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """As in `PointingModel.point`. Raises VitalError: TIMEOUT, BAD_ANSWER, AMBIGUOUS, BAD_PARAMETER."""
        prepared = self._prepare(rgb, self._dialect.ask(checked_sentence(prompt)))
        answer = self._answer(prepared)
        image_px = (rgb.shape[1], rgb.shape[0])
        try:
            return choose(Reader(image_px, self._dialect.units, prepared.seen_px).read(answer), image_px)
        except VitalError as refusal:
            if refusal.code is ErrorCode.NOT_IN_VIEW:
                return Pointing(None, 0.0, refusal.message)
            raise

    @torch.inference_mode()
    def _answer(self, prepared: Prepared) -> str:
        like = next(self.model.parameters())
        inputs = {name: placed(value, like) for name, value in prepared.inputs.items()}
        asked = inputs["input_ids"].shape[1]
        tokens = self.model.generate(
            **inputs,
            max_new_tokens=MOST_ANSWER_TOKENS,
            max_time=self._timeout_s,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
        )[0, asked:].tolist()
        if len(tokens) >= MOST_ANSWER_TOKENS:
            raise VitalError(
                ErrorCode.BAD_ANSWER,
                f"the answer does not end within {MOST_ANSWER_TOKENS} tokens: take a model that was trained to point",
            )
        if not tokens or tokens[-1] not in self._ends():
            raise VitalError(
                ErrorCode.TIMEOUT, f"no whole answer within {self._timeout_s:.3g} s: use a GPU, or a smaller model"
            )
        return self._tokenizer.decode(tokens, skip_special_tokens=True)

    def _ends(self) -> set[int]:
        given = self.model.generation_config.eos_token_id
        return {self._tokenizer.eos_token_id, *(given if isinstance(given, list) else [given])}


def placed(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """On the network's device, and numbers with a point in its precision."""
    return value.to(like.device, like.dtype) if value.is_floating_point() else value.to(like.device)
