"""Pointing models by name. Loaded only when asked for, since each brings its own libraries."""

from collections.abc import Callable, Mapping

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing import PointingModel


def _embedded() -> PointingModel:
    from vital_vlm_reach.pointing.embedded import EmbeddedPointing

    return EmbeddedPointing.load()


POINTING_MODELS: Mapping[str, Callable[[], PointingModel]] = {"embedded": _embedded}


def load_pointing_model(name: str) -> PointingModel:
    """Raises VitalError: BAD_PARAMETER for an unknown name, NO_CHECKPOINT or BAD_CHECKPOINT for its weights."""
    if name not in POINTING_MODELS:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"there is no pointing model '{name}', expected one of {', '.join(POINTING_MODELS)}",
        )
    return POINTING_MODELS[name]()
