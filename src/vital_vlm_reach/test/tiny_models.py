"""Models of the real classes, with few weights drawn at random, saved as a folder from the hub would be."""

from pathlib import Path

import torch

SPECIAL = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|image|>",
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
)  # fmt: skip
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(most_tokens: int = 4096):
    """Every byte a token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_alone = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone,
        eos_token="<|im_end|>",
        pad_token="[PAD]",
        additional_special_tokens=list(SPECIAL),
        chat_template=CHAT,
        model_max_length=most_tokens,
    )


def _token_ids(words) -> dict:
    return {
        "image_token_id": words.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": words.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": words.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": words.convert_tokens_to_ids("<|vision_end|>"),
    }


def _qwen_text(words) -> dict:
    rope = {"rope_type": "default", "mrope_section": [2, 2, 4], "rope_theta": 10000.0}
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    end = words.eos_token_id
    return {**size, **heads, "vocab_size": 300, "rope_parameters": rope, "bos_token_id": end, "eos_token_id": end}


_QWEN_VISION = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}


def _finished(folder: Path, model, *parts) -> Path:
    for part in (model, *parts):
        part.save_pretrained(folder)
    return folder


def qwen25(folder: Path) -> Path:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    words = tokenizer()
    vision = {**_QWEN_VISION, "fullatt_block_indexes": [0], "window_size": 56}
    config = Qwen2_5_VLConfig(text_config=_qwen_text(words), vision_config=vision, **_token_ids(words))
    images = Qwen2VLImageProcessorPil(min_pixels=4 * 28 * 28, max_pixels=64 * 28 * 28)
    return _finished(folder, Qwen2_5_VLForConditionalGeneration(config), words, images)


def qwen3(folder: Path) -> Path:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    words = tokenizer()
    vision = {**_QWEN_VISION, "patch_size": 16, "deepstack_visual_indexes": [0], "num_position_embeddings": 64}
    config = Qwen3VLConfig(text_config=_qwen_text(words), vision_config=vision, **_token_ids(words))
    images = Qwen2VLImageProcessorPil(patch_size=16, min_pixels=4 * 32 * 32, max_pixels=64 * 32 * 32)
    return _finished(folder, Qwen3VLForConditionalGeneration(config), words, images)


def molmo2(folder: Path) -> Path:
    """Without its image processor, which needs torchvision; see `MolmoInputs`."""
    from transformers import Molmo2Config, Molmo2ForConditionalGeneration

    words = tokenizer()
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 32}
    vision = {**heads, "hidden_size": 32, "num_hidden_layers": 2, "image_size": [28, 28], "num_position_embeddings": 4}
    config = Molmo2Config(
        text_config={**heads, "hidden_size": 32, "num_hidden_layers": 1, "vocab_size": 300, "additional_vocab_size": 8,
                     "eos_token_id": words.eos_token_id, "rope_scaling_layers": [0]},
        vision_config=vision,
        adapter_config={**heads, "hidden_size": 32, "text_hidden_size": 32, "vision_feature_layer": [1, 0]},
        image_patch_id=words.convert_tokens_to_ids("<|image_pad|>"),
        image_start_token_id=words.convert_tokens_to_ids("<|vision_start|>"),
        image_end_token_id=words.convert_tokens_to_ids("<|vision_end|>"),
    )  # fmt: skip
    _finished(folder, Molmo2ForConditionalGeneration(config), words)
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "Molmo2ImageProcessor"}')
    (folder / "processor_config.json").write_text('{"processor_class": "Molmo2Processor"}')
    return folder


def owlv2(folder: Path) -> Path:
    from transformers import Owlv2Config, Owlv2ForObjectDetection
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    words = tokenizer(64)
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    end = {"eos_token_id": words.eos_token_id, "bos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = Owlv2Config(
        text_config={**size, **end, "vocab_size": 300, "max_position_embeddings": 32},
        vision_config={**size, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    images = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    return _finished(folder, Owlv2ForObjectDetection(config), words, images)


def grounding_dino(folder: Path) -> Path:
    from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    words = tokenizer(64)
    swin = SwinConfig(
        image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    bert = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=300,
        max_position_embeddings=64,
    )  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=swin, text_config=bert, d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=6, max_text_len=64,
    )  # fmt: skip
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    return _finished(folder, GroundingDinoForObjectDetection(config), words, images)


class MolmoInputs:
    """One small view of the image for the tiny Molmo 2, in the form in which its processor gives it."""

    def __init__(self, words) -> None:
        self._words = words

    def __call__(self, rgb, question):
        from vital_vlm_reach.pointing.transformers_models import Prepared

        text = f"<|vision_start|><|image_pad|><|vision_end|>{question}"
        inputs = dict(self._words([text], return_tensors="pt"))
        inputs.pop("token_type_ids", None)
        pixels = torch.zeros(1, 4, 14 * 14 * 3)
        view = {"pixel_values": pixels, "image_token_pooling": torch.arange(4)[None]}
        grid = {"image_grids": torch.tensor([[1, 1, 0, 0]]), "image_num_crops": torch.tensor([1])}
        return Prepared({**inputs, **view, **grid}, (rgb.shape[1], rgb.shape[0]))
