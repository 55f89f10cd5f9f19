"""A folder with a pretrained model, checked before it is loaded: named by a path, or by a hub name and a commit.

Nothing in a folder is run: no remote code, no pickle. What is not whole is refused by the name of what is missing.
"""

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError, shortened

EXTRA = "pip install -r requirements/pointing.in"
OFFLINE = "HF_HUB_OFFLINE"
MOST_JSON_BYTES = 50_000_000
VISION_LANGUAGE_TYPES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "molmo2")
DETECTOR_TYPES = ("owlvit", "owlv2", "grounding-dino", "mm-grounding-dino")
_TAKEN = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelFolder:
    """A whole model: its folder and what its config says that it is."""

    path: Path
    model_type: str

    @classmethod
    def find(cls, model: str, revision: str = "none") -> "ModelFolder":
        """model: a folder, or a hub name with the commit that ``revision`` gives.

        Raises VitalError: BAD_PARAMETER, NO_CHECKPOINT where it is not there, BAD_CHECKPOINT where it is not whole or
        of a kind that does not point.
        """
        path = _local(model) or _from_hub(model, revision)
        model_type = _model_type(path)
        _check_whole(path)
        return cls(path, model_type)


def check_named(model: str, revision: str) -> None:
    """What can be known before anything is fetched. Raises VitalError as `ModelFolder.find` does."""
    path = _local(model)
    if path is None:
        _check_commit(model, revision)
    else:
        ModelFolder.find(model, revision)


def need_transformers() -> None:
    """Raises VitalError(BAD_PARAMETER) where the extra is not installed."""
    if not has_library("transformers"):
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"pointing:=transformers needs the library transformers, which is not installed: {EXTRA}",
        )


def has_library(name: str) -> bool:
    """Whether it could be imported."""
    return importlib.util.find_spec(name) is not None


def _local(model: str) -> Path | None:
    if not model or model in ("auto", "none"):
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            "pointing:=transformers needs pointing_model:=<folder, or a hub name with revision:=>",
        )
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if _HUB_NAME.fullmatch(model):
        return None
    raise VitalError(ErrorCode.NO_CHECKPOINT, f"there is no folder {shortened(path, 120)}: put the model's files there")


def _check_commit(name: str, revision: str) -> None:
    if not _COMMIT.fullmatch(revision):
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"the model {name} needs revision:=<its commit, 40 hexadecimal digits>, so that it stays the one that was "
            f"tried; it was '{shortened(revision, 50)}'",
        )


def _from_hub(name: str, revision: str) -> Path:
    _check_commit(name, revision)
    need_transformers()
    from huggingface_hub import snapshot_download

    offline = os.environ.get(OFFLINE, "").upper() in ("1", "ON", "YES", "TRUE")
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_TAKEN, local_files_only=offline))
    except Exception as error:
        where = f"in the cache, and {OFFLINE} is set" if offline else "at the hub, or the hub not reached"
        raise VitalError(
            ErrorCode.NO_CHECKPOINT,
            f"{name} at {revision[:8]} is not {where} ({type(error).__name__}): fetch it once, or give a folder",
        ) from error


def _bad(path: Path, why: str, remedy: str = "copy the model's folder again") -> VitalError:
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"the model in {path}: {why}: {remedy}")


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _bad(path.parent, f"{path.name} cannot be read ({shortened(error, 80)})") from error
    if not isinstance(value, dict):
        raise _bad(path.parent, f"{path.name} holds no object")
    return value


def _model_type(path: Path) -> str:
    if not (path / "config.json").is_file():
        raise _bad(path, "it has no config.json")
    found = _json(path / "config.json").get("model_type")
    if found == "molmo":
        raise _bad(
            path,
            "Molmo of the first generation runs code of its own, which is not run here",
            "take Molmo2, or serve it elsewhere and use pointing:=server",
        )
    if found not in VISION_LANGUAGE_TYPES + DETECTOR_TYPES:
        known = ", ".join(VISION_LANGUAGE_TYPES + DETECTOR_TYPES)
        raise _bad(path, f"a model of the type {shortened(found, 40)!r} does not point", f"expected one of {known}")
    return str(found)


def _check_whole(path: Path) -> None:
    """Every file is there: the weights' shards, the tokenizer, the image processor."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        weights = _json(index).get("weight_map")
        if not isinstance(weights, dict) or not weights:
            raise _bad(path, f"{index.name} names no weights")
        needed = sorted({str(name) for name in weights.values()})
    else:
        needed = ["model.safetensors"]
    if odd := [name for name in needed if Path(name).name != name or not name.endswith(".safetensors")]:
        raise _bad(path, f"its index names {shortened(odd[0], 60)!r}, expected .safetensors files beside it")
    needed += ["tokenizer_config.json"]
    missing = [name for name in needed if not (path / name).is_file()]
    if not any((path / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")):
        missing.append("preprocessor_config.json")
    if missing:
        raise _bad(path, f"it is not whole, {', '.join(missing[:5])} missing")
