"""Model folders and settings: what is not whole, not pinned or not a pointing model is refused before it is loaded."""

import json

import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing import model_folder
from vital_vlm_reach.pointing.model_folder import ModelFolder, need_transformers
from vital_vlm_reach.pointing.model_loading import TransformersSettings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def folder(tmp_path, model_type="qwen3_vl", *without, **files):
    whole = {
        "config.json": json.dumps({"model_type": model_type}),
        "model.safetensors": "x",
        "tokenizer_config.json": "{}",
        "preprocessor_config.json": "{}",
    }
    for name, text in {**whole, **files}.items():
        if name not in without:
            (tmp_path / name).write_text(text)
    return tmp_path


def refused(code, model, revision="none"):
    with pytest.raises(VitalError) as refusal:
        ModelFolder.find(str(model), revision)
    assert refusal.value.code is code and len(refusal.value.message) < 500
    return refusal.value.message


@pytest.mark.parametrize("model_type", ["qwen2_5_vl", "qwen3_vl", "molmo2", "owlv2", "grounding-dino"])
def test_a_whole_folder_says_what_it_is(tmp_path, model_type):
    assert ModelFolder.find(str(folder(tmp_path, model_type))) == ModelFolder(tmp_path, model_type)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer_config.json", "preprocessor_config.json"])
def test_a_folder_that_is_not_whole_names_what_is_missing(tmp_path, name):
    assert name in refused(ErrorCode.BAD_CHECKPOINT, folder(tmp_path, "owlv2", name))


def test_weights_as_pickle_are_no_weights(tmp_path):
    folder(tmp_path, "owlv2", "model.safetensors", **{"pytorch_model.bin": "x"})
    assert "model.safetensors" in refused(ErrorCode.BAD_CHECKPOINT, tmp_path)


def test_every_shard_of_the_index_must_be_there(tmp_path):
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = {"model.safetensors.index.json": json.dumps({"weight_map": shards})}
    folder(tmp_path, "molmo2", "model.safetensors", **index, **{shards["a"]: "x"})
    assert shards["b"] in refused(ErrorCode.BAD_CHECKPOINT, tmp_path)
    (tmp_path / shards["b"]).write_text("x")
    assert ModelFolder.find(str(tmp_path)).model_type == "molmo2"


@pytest.mark.parametrize("named", ["../other.safetensors", "/etc/passwd", "weights.bin"])
def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path, named):
    index = {"model.safetensors.index.json": json.dumps({"weight_map": {"a": named}})}
    assert "beside it" in refused(ErrorCode.BAD_CHECKPOINT, folder(tmp_path, **index))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"model_type": ["owlv2"]}', "{}"])
def test_a_config_that_says_nothing_is_refused(tmp_path, text):
    refused(ErrorCode.BAD_CHECKPOINT, folder(tmp_path, **{"config.json": text}))


def test_a_model_of_another_kind_is_refused(tmp_path):
    assert "'bert' does not point" in refused(ErrorCode.BAD_CHECKPOINT, folder(tmp_path, "bert"))


def test_a_model_with_code_of_its_own_is_refused_with_the_way_out(tmp_path):
    auto = json.dumps({"model_type": "molmo", "auto_map": {"AutoModelForCausalLM": "modeling_molmo.M"}})
    folder(tmp_path, **{"config.json": auto, "modeling_molmo.py": "raise SystemExit"})
    assert "pointing:=server" in refused(ErrorCode.BAD_CHECKPOINT, tmp_path)


@pytest.mark.parametrize("revision", ["none", "main", "0123abc", COMMIT.upper(), COMMIT + "0"])
def test_a_hub_name_needs_the_commit(revision):
    assert "40 hexadecimal" in refused(ErrorCode.BAD_PARAMETER, "Qwen/Qwen3-VL-8B-Instruct", revision)


def test_offline_only_the_cache_is_asked(monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="the extra 'pointing' is not installed")
    asked = []

    def absent(name, **given):
        asked.append(given)
        raise hub.errors.LocalEntryNotFoundError("not there")

    monkeypatch.setattr(hub, "snapshot_download", absent)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in refused(ErrorCode.NO_CHECKPOINT, "Qwen/Qwen3-VL-8B-Instruct", COMMIT)
    assert asked[0]["local_files_only"] and asked[0]["revision"] == COMMIT
    assert not any("py" in pattern.split(".") or "bin" in pattern for pattern in asked[0]["allow_patterns"])


def test_a_model_in_the_cache_is_found_offline(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="the extra 'pointing' is not installed")
    kept = tmp_path / "models--lab--pointer" / "snapshots" / COMMIT
    kept.mkdir(parents=True)
    folder(kept)
    download = hub.snapshot_download
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **given: download(name, cache_dir=tmp_path, **given))
    monkeypatch.setenv("HF_HUB_OFFLINE", "true")
    assert ModelFolder.find("lab/pointer", COMMIT) == ModelFolder(kept, "qwen3_vl")


@pytest.mark.parametrize("model", ["", "auto", "none"])
def test_a_model_must_be_named(model):
    assert "pointing_model" in refused(ErrorCode.BAD_PARAMETER, model)


@pytest.mark.parametrize("model", ["/nowhere/at/all", "molmo", "a/b/c", "./x", "../../no_such_folder"])
def test_a_folder_that_is_not_there_is_told(model):
    refused(ErrorCode.NO_CHECKPOINT, model)


def test_without_the_library_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setattr(model_folder, "has_library", lambda name: False)
    with pytest.raises(VitalError, match=r"requirements/pointing\.in") as refusal:
        need_transformers()
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


BAD_SETTINGS = [
    {"dtype": "int8"},
    {"dialect": "latin"},
    {"timeout_s": 0.0},
    {"timeout_s": float("nan")},
    {"threshold": 1.0},
]


@pytest.mark.parametrize("bad", BAD_SETTINGS, ids=str)
def test_settings_are_checked(bad):
    with pytest.raises(VitalError) as refusal:
        TransformersSettings("x", **bad)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "mps", "everywhere", ""])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(VitalError, match="device") as refusal:
        TransformersSettings("x", device=device).chosen_device()
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
