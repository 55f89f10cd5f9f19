"""What points, by name: started beside the node when it is chosen, and its health and latency known at any time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.interface import Pointing, PointingModel

BACKENDS = ("embedded", "server", "transformers")
DEFAULT_ENDPOINT = "http://127.0.0.1:8000/v1"
_TOLD = {
    "embedded": "the embedded network (no vision-language model: it knows five things)",
    "server": "the model served at {endpoint}",
    "transformers": "{model} in this process",
}


@dataclass(frozen=True)
class PointingSettings:
    """The node's choice, as ROS parameters. What a backend does not use is not looked at."""

    pointing: Annotated[
        Literal["embedded", "server", "transformers"], Meta(description="what finds the named thing in the image")
    ] = "embedded"
    pointing_model: Annotated[
        str, Meta(description="name at the endpoint (auto: the only one), folder, or hub name")
    ] = "auto"
    endpoint: Annotated[str, Meta(description="base address of an OpenAI-compatible model server")] = DEFAULT_ENDPOINT
    revision: Annotated[str, Meta(description="commit of a model that is named by its hub name")] = "none"
    pointing_dialect: Annotated[str, Meta(description="how the model is asked and counts; auto: by its name")] = "auto"
    pointing_device: Annotated[str, Meta(description="of a model in this process: auto, cpu, cuda or cuda:N")] = "auto"
    pointing_dtype: Annotated[
        str, Meta(description="of a model in this process: auto, float32, bfloat16 or float16")
    ] = "auto"
    pointing_timeout_s: Annotated[float, Meta(ge=0.5, le=60.0, description="for one question, s")] = 10.0

    def told(self) -> str:
        """What points, for an operator."""
        return _TOLD[self.pointing].format(endpoint=self.endpoint, model=self.pointing_model)


def backend(settings: PointingSettings) -> "StartedBeside":
    """The chosen backend, not started yet; what is not chosen is not imported.

    Raises VitalError for settings that cannot work: BAD_PARAMETER, NO_CHECKPOINT, BAD_CHECKPOINT.
    """
    choose = {"embedded": _embedded, "server": _server, "transformers": _transformers}[settings.pointing]
    return StartedBeside(settings.pointing, choose(settings), settings.pointing_timeout_s)


def given(model: PointingModel) -> "StartedBeside":
    """A model that there is, in the place of a backend."""
    return StartedBeside("given", lambda: model)


Start = Callable[[], PointingModel]


def _embedded(settings: PointingSettings) -> Start:
    from vital_vlm_reach.pointing.embedded import EmbeddedPointing

    model = EmbeddedPointing.load()
    return lambda: model


def _server(settings: PointingSettings) -> Start:
    from vital_vlm_reach.pointing.server import ServerPointing, ServerSettings

    s = ServerSettings(
        settings.endpoint, settings.pointing_model, settings.pointing_dialect, settings.pointing_timeout_s
    )
    return lambda: ServerPointing.start(s)


def _transformers(settings: PointingSettings) -> Start:
    from vital_vlm_reach.pointing import model_folder, model_loading

    s = model_loading.TransformersSettings(
        settings.pointing_model,
        settings.revision,
        settings.pointing_device,
        settings.pointing_dtype,
        settings.pointing_dialect,
        settings.pointing_timeout_s,
    )
    model_folder.need_transformers()
    model_folder.check_named(s.model, s.revision)
    s.chosen_device()
    return lambda: start_pretrained(s)


def start_pretrained(settings: Any) -> PointingModel:
    """The model that `TransformersSettings` name, loaded.

    Raises VitalError: BAD_PARAMETER, NO_CHECKPOINT, BAD_CHECKPOINT.
    """
    from vital_vlm_reach.pointing import detectors, model_folder, model_loading, transformers_models

    folder = model_loading.found(settings)
    is_detector = folder.model_type in model_folder.DETECTOR_TYPES
    kind = detectors.DetectorPointing if is_detector else transformers_models.VisionLanguagePointing
    return kind.load(folder, settings)


@dataclass
class PointingHealth:
    """What is known of a backend: its state, figures of the questions that it was asked, and its last fault."""

    backend: str
    state: str = "not started"
    asked: int = 0
    faults: int = 0
    last_s: float = float("nan")
    slowest_s: float = float("nan")
    last_fault: str = ""

    @property
    def well(self) -> bool:
        """Whether the last thing that it did went well."""
        return not self.last_fault

    def values(self) -> dict[str, object]:
        """For /diagnostics: latencies in s."""
        shown = {"pointing": self.backend, "pointing_state": self.state, "pointing_asked": self.asked}
        latencies = {"pointing_last_s": self.last_s, "pointing_slowest_s": self.slowest_s}
        return {**shown, "pointing_faults": self.faults, **latencies, "pointing_last_fault": self.last_fault}


@dataclass
class StartedBeside:
    """A `PointingModel` that starts in a thread of its own; a question waits for it, and a failed start is tried again
    with the next question.

    patience_s: how long a question waits for the start.
    """

    name: str
    start: Start
    patience_s: float = 10.0
    _model: PointingModel | None = field(default=None, init=False)
    _starting: threading.Thread | None = field(default=None, init=False)
    _refusal: VitalError | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.health = PointingHealth(self.name)

    def begin(self) -> threading.Thread:
        """Start, unless it is started or under way; the thread that does."""
        with self._lock:
            if self._starting is None or not (self._starting.is_alive() or self._model is not None):
                self._refusal = None
                self._starting = threading.Thread(target=self._run_start, daemon=True)
                self._starting.start()
            return self._starting

    def _run_start(self) -> None:
        self.health.state = "starting"
        began = time.monotonic()
        try:
            self._model = self.start()
        except VitalError as refusal:
            self._refuse(refusal)
        except Exception as fault:
            self._refuse(VitalError(ErrorCode.INTERNAL, f"{type(fault).__name__}: {fault}"))
        else:
            self.health.state, self.health.last_fault = f"ready after {time.monotonic() - began:.1f} s", ""

    def _refuse(self, refusal: VitalError) -> None:
        self._refusal = refusal
        self.health.state, self.health.last_fault = "not started", str(refusal)

    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """As in `PointingModel.point`, the backend's name in the message.

        Raises VitalError also for a start that fails, and TIMEOUT for one that takes long.
        """
        model = self._started()
        began = time.monotonic()
        self.health.asked += 1
        try:
            pointing = model.point(rgb, prompt)
        except VitalError as refusal:
            self._count_fault(refusal)
            raise
        finally:
            self.health.last_s = time.monotonic() - began
            self.health.slowest_s = float(np.fmax(self.health.slowest_s, self.health.last_s))
        self.health.last_fault = ""
        return Pointing(
            pointing.pixel_uv, pointing.confidence, f"{self.name}: {pointing.message}", pointing.candidates
        )  # fmt: skip

    def _count_fault(self, refusal: VitalError) -> None:
        """A sentence that is none, or a scene with two answers, is no fault of the backend."""
        if refusal.code not in (ErrorCode.BAD_PARAMETER, ErrorCode.AMBIGUOUS, ErrorCode.BAD_OBSERVATION):
            self.health.faults += 1
            self.health.last_fault = str(refusal)

    def _started(self) -> PointingModel:
        if self._model is None:
            self.begin().join(self.patience_s)
        if self._model is not None:
            return self._model
        if self._refusal is not None:
            raise self._refusal
        raise VitalError(
            ErrorCode.TIMEOUT,
            f"the pointing model ({self.name}) is not loaded after {self.patience_s:.3g} s: ask again",
        )
