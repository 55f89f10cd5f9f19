"""Pretrained models in this process, through the library `transformers`: vision-language models that point.

The library is an extra and is imported when a model is started. Weights are safetensors, every one of them from the
file; no code of a model's folder is run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.answers import Reader, choose
from vital_vlm_reach.pointing.interface import Pointing
from vital_vlm_reach.pointing.model_folder import ModelFolder, has_library
from vital_vlm_reach.pointing.model_loading import TransformersSettings, bad_model, loaded, placed, processor_part
from vital_vlm_reach.pointing.questions import DIALECTS, Dialect, checked_sentence

MOST_ANSWER_TOKENS = 128
_DIALECT_OF_TYPE = {"molmo2": "molmo", "qwen2_5_vl": "qwen_pixel"}
_IMAGE_PLACE = "<|image_pad|>"


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
            raise bad_model(folder, "it has no chat template: copy chat_template.jinja or chat_template.json with it")
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
