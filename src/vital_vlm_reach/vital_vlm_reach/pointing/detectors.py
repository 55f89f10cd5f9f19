"""Open-vocabulary detectors (OWL-ViT, OWLv2, Grounding DINO): boxes around the thing that a phrase names.

The middle choice between the embedded network and a vision-language model: they know many things, and no instruction;
so the thing is first taken out of the sentence (`questions.target_phrase`).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.answers import MOST_CANDIDATES, WHOLE_IMAGE, choose
from vital_vlm_reach.pointing.interface import Candidate, Pointing
from vital_vlm_reach.pointing.model_folder import ModelFolder
from vital_vlm_reach.pointing.model_loading import TransformersSettings, loaded, placed, processor_part
from vital_vlm_reach.pointing.questions import checked_sentence, target_phrase

# A box with a side shorter than this holds nothing.
LEAST_BOX_PX = 2.0


class DetectorPointing:
    """Points at the middle of the best box; see `PointingModel`."""

    def __init__(self, model: Any, images: Any, tokenizer: Any, model_type: str, threshold: float) -> None:
        self.model, self._images, self._tokenizer = model, images, tokenizer
        self._is_dino, self._threshold = "dino" in model_type, threshold

    @classmethod
    def load(cls, folder: ModelFolder, settings: TransformersSettings) -> "DetectorPointing":
        """Raises VitalError: BAD_CHECKPOINT, BAD_PARAMETER."""
        from transformers import AutoImageProcessor, AutoModelForZeroShotObjectDetection, AutoTokenizer

        images = processor_part(AutoImageProcessor, folder, backend="pil")
        tokenizer = processor_part(AutoTokenizer, folder)
        model = loaded(AutoModelForZeroShotObjectDetection, folder, settings)
        return cls(model, images, tokenizer, folder.model_type, settings.threshold)

    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """As in `PointingModel.point`. Raises VitalError: AMBIGUOUS, BAD_ANSWER, BAD_PARAMETER."""
        phrase = target_phrase(checked_sentence(prompt))
        boxes, scores = self._detect(rgb, phrase)
        image_px = (rgb.shape[1], rgb.shape[0])
        candidates = ranked(boxes, scores, phrase, image_px, self._threshold)
        if not candidates:
            best = float(scores.max()) if scores.size else 0.0
            told = f"no box around '{phrase}' scores {self._threshold:.2f} or more, the best has {best:.2f}"
            return Pointing(None, best, told)
        return choose(candidates, image_px)

    @torch.inference_mode()
    def _detect(self, rgb: NDArray[np.uint8], phrase: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Every box (N, 4) left, top, right, bottom in px, and its score (N,)."""
        like = next(self.model.parameters())
        # Grounding DINO takes phrases that end in a full stop, the OWL models captions of one length.
        text = [f"{phrase}."] if self._is_dino else [f"a photo of a {phrase}"]
        limits = {} if self._is_dino else {"padding": "max_length", "max_length": self._most_tokens()}
        inputs = {
            **self._tokenizer(text, return_tensors="pt", truncation=True, **limits),
            **self._images(images=[rgb], return_tensors="pt"),
        }
        outputs = self.model(**{name: placed(value, like) for name, value in inputs.items()})
        scores = outputs.logits.float().sigmoid().amax(dim=-1)[0]
        boxes = _corners(outputs.pred_boxes[0].float(), self._frame(rgb))
        return boxes.cpu().numpy(), scores.cpu().double().numpy()

    def _most_tokens(self) -> int:
        return int(self.model.config.text_config.max_position_embeddings)

    def _frame(self, rgb: NDArray[np.uint8]) -> tuple[int, int]:
        """Width and height that a box's 1 stands for: OWLv2 pads images to a square at the right and the bottom."""
        height, width = rgb.shape[:2]
        return (max(height, width),) * 2 if self.model.config.model_type == "owlv2" else (width, height)


def _corners(boxes: torch.Tensor, frame_px: tuple[int, int]) -> torch.Tensor:
    """(N, 4) left, top, right, bottom in px from centre and size in shares of the frame."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    scale = torch.tensor(frame_px * 2, dtype=boxes.dtype, device=boxes.device)
    return torch.cat([centre - half, centre + half], dim=1).double() * scale


def ranked(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], label: str, image_px: tuple[int, int], threshold: float
) -> tuple[Candidate, ...]:
    """The middles of the boxes that score enough, the best first.

    Left out: boxes with their middle outside the image, those around the whole of it, and slivers. Raises
    VitalError(BAD_ANSWER) for boxes or scores that are no numbers.
    """
    if not np.isfinite(boxes).all() or not np.isfinite(scores).all():
        raise VitalError(
            ErrorCode.BAD_ANSWER, "the detector gives boxes that are no numbers: use another dtype or model"
        )
    width, height = image_px
    candidates = []
    for box, score in sorted(zip(boxes, scores, strict=True), key=lambda pair: -pair[1]):
        u, v = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
        left, top, right, bottom = np.clip(box, 0.0, (width, height, width, height))
        whole = right - left > WHOLE_IMAGE * width and bottom - top > WHOLE_IMAGE * height
        solid = min(right - left, bottom - top) >= LEAST_BOX_PX
        if score >= threshold and solid and not whole and 0.0 <= u < width and 0.0 <= v < height:
            candidates.append(Candidate((min(u, width - 1.0), min(v, height - 1.0)), label, min(float(score), 1.0)))
    return tuple(candidates[:MOST_CANDIDATES])
