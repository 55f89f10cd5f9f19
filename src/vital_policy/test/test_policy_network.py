"""The network: its size, its parts, and that training's fused kernels compute what PyTorch's do."""

import dataclasses
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vital_core.errors import ErrorCode
from vital_core.files import schema
from vital_core.files.schema import Source
from vital_policy.network import fused_norm
from vital_policy.network.policy import Policy, PolicyConfig, Stem, TactileEncoder, spatial_softmax
from vital_policy.network.transformer import Transformer, TransformerConfig


def test_policy_has_exactly_the_papers_parameters():
    policy = Policy()
    assert policy.parameter_count() == 7_599_494
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in policy.named_children()}
    assert count == {
        "image_encoder": 847_424, "tactile_encoder": 135_680, "transformer": 6_466_560, "head": 149_574,
    }  # fmt: skip


def test_policy_answers_with_a_chunk_of_ten_bounded_actions():
    out = Policy().eval()(torch.zeros(2, 3, 128, 128), torch.zeros(2, 15))
    assert out.shape == (2, 10, 7) and out.abs().max() <= 1.0


def test_policy_without_touch_ignores_the_tactile_reading(tiny_config):
    policy = Policy(dataclasses.replace(tiny_config, touch=False)).eval()
    image = torch.rand(1, 3, 128, 128)
    assert torch.equal(policy(image, torch.zeros(1, 15)), policy(image, torch.ones(1, 15)))
    assert policy.tactile_encoder is None


def test_policy_with_touch_uses_it(tiny_config):
    policy = Policy(tiny_config).eval()
    image = torch.rand(1, 3, 128, 128)
    assert not torch.equal(policy(image, torch.zeros(1, 15)), policy(image, torch.ones(1, 15)))


def test_config_survives_its_dictionary(tiny_config):
    source = Source("network", ErrorCode.INTERNAL, "")
    assert schema.checked(tiny_config.to_dict(), PolicyConfig, source) == tiny_config


def test_stem_is_resnets_seven_by_seven_convolution():
    stem, image = Stem(8), torch.randn(2, 3, 32, 32)
    nn.init.normal_(stem.weight)
    torch.testing.assert_close(stem(image), F.conv2d(image, stem.weight, stride=2, padding=3), rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 15), st.integers(0, 11))
def test_spatial_softmax_finds_the_peak(row: int, column: int):
    maps = torch.zeros(1, 2, 16, 12)
    maps[0, 1, row, column] = 100.0
    x0, x1, y0, y1 = spatial_softmax(maps)[0]
    assert (x0, y0) == pytest.approx((0.0, 0.0), abs=1e-5)
    assert (x1, y1) == pytest.approx((2 * column / 11 - 1, 2 * row / 15 - 1), abs=1e-5)


def test_transformer_is_causal():
    transformer = Transformer(TransformerConfig(layers=2, heads=2, width=16)).eval()
    tokens = torch.randn(1, 3, 16)
    changed = tokens.clone()
    changed[0, 2] += 1.0
    before, after = transformer(tokens), transformer(changed)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(0, 8), st.integers(0, 2**31))
def test_a_token_changes_no_answer_before_it(length, changed, seed):
    changed %= length
    torch.manual_seed(seed)
    transformer = Transformer(TransformerConfig(layers=2, heads=2, width=8, positions=9)).eval()
    tokens = torch.randn(2, length, 8)
    other = tokens.clone()
    other[0, changed] += 1.0
    before, after = transformer(tokens), transformer(other)
    assert before.shape == tokens.shape
    torch.testing.assert_close(before[:, :changed], after[:, :changed])
    torch.testing.assert_close(before[1], after[1])
    assert not torch.allclose(before[0, changed:], after[0, changed:], atol=1e-5, rtol=1e-4)


def test_tokens_are_told_apart_by_where_they_stand_and_there_is_an_end_of_places():
    torch.manual_seed(0)
    transformer = Transformer(TransformerConfig(layers=1, heads=2, width=8, positions=4)).eval()
    for weight in (w for w in transformer.parameters() if w.ndim == 2):
        nn.init.normal_(weight, std=0.5)
    tokens = torch.randn(1, 4, 8)
    swapped = transformer(tokens[:, [1, 0, 2, 3]])
    assert not torch.allclose(swapped[:, -1], transformer(tokens)[:, -1], atol=1e-5, rtol=1e-4)
    nn.init.zeros_(transformer.position.weight)
    # Without places the last token sees those before it as a set.
    torch.testing.assert_close(transformer(tokens[:, [1, 0, 2, 3]])[:, -1], transformer(tokens)[:, -1])
    with pytest.raises(RuntimeError):
        transformer(torch.randn(1, 5, 8))


def test_dropout_disturbs_training_only_and_follows_the_seed():
    transformer = Transformer(TransformerConfig(layers=1, heads=2, width=8, dropout=0.5))
    tokens, answers = torch.randn(1, 3, 8), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        answers.append(transformer(tokens))
    assert torch.equal(answers[0], answers[1]) and not torch.equal(answers[0], answers[2])
    transformer.eval()
    assert torch.equal(transformer(tokens), transformer(tokens))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 1e4))
def test_key_points_are_within_the_image_and_turn_round_with_it(seed, loudness):
    maps = loudness * torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(seed))
    x, y = spatial_softmax(maps).unflatten(1, (2, 3)).unbind(1)
    assert x.abs().max() <= 1.0 + 1e-6 and y.abs().max() <= 1.0 + 1e-6
    mirrored, upside_down = (spatial_softmax(maps.flip(axis)).unflatten(1, (2, 3)) for axis in (3, 2))
    torch.testing.assert_close(mirrored, torch.stack([-x, y], 1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(upside_down, torch.stack([x, -y], 1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(spatial_softmax(maps + 7.0), torch.cat([x, y], 1), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("touch", [True, False])
def test_answers_of_a_batch_are_those_of_its_images_alone_and_fit_the_chunk(tiny_config, touch):
    policy = Policy(dataclasses.replace(tiny_config, touch=touch, chunk=3)).eval()
    image, tactile = 2.0 * torch.rand(3, 3, 32, 32) - 1.0, torch.randn(3, 15)
    with torch.inference_mode():
        together = policy(image, tactile)
        alone = torch.cat([policy(image[i : i + 1], tactile[i : i + 1]) for i in range(3)])
        features = policy.encode(image, tactile)
    assert together.shape == (3, 3, 7)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert features.joined().shape == (3, policy.config.feature_size) == (3, 32 if touch else 16)


@pytest.mark.parametrize("change", [{"chunk": 0}, {"keypoints": 0}])
def test_a_network_without_an_answer_or_a_key_point_is_refused(change):
    with pytest.raises(ValueError, match="must be at least 1"):
        PolicyConfig(**change)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_dropout_leaves_something(dropout):
    with pytest.raises(ValueError, match="expected 0 <= dropout < 1"):
        TransformerConfig(dropout=dropout)


def test_tactile_encoder_starts_orthogonal():
    weight = TactileEncoder()[2].weight
    torch.testing.assert_close(weight @ weight.T, 2.0 * torch.eye(256), rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def kernels():
    if not fused_norm.enable():
        pytest.skip("no C++ compiler")
    yield
    fused_norm.disable()


def test_a_second_checkout_takes_the_compiled_kernels_of_the_first(kernels, tmp_path, monkeypatch):
    elsewhere = tmp_path / "fused_norm.cpp"
    elsewhere.write_text(fused_norm._SOURCE.read_text())
    compiled = Path(fused_norm._kernels.__file__)
    before = compiled.stat().st_mtime_ns
    monkeypatch.setattr(fused_norm, "_SOURCE", elsewhere)
    fused_norm.disable()
    assert fused_norm.enable() and Path(fused_norm._kernels.__file__) == compiled
    assert compiled.stat().st_mtime_ns == before
    assert fused_norm.build_name("other source") != fused_norm.build_name(elsewhere.read_text())


def _map(*shape: int) -> torch.Tensor:
    x = torch.randn(shape).bfloat16().contiguous(memory_format=torch.channels_last)
    return x.requires_grad_()


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("add", [True, False])
def test_fused_norm_and_its_gradients_are_those_of_pytorch(kernels, relu: bool, add: bool):
    torch.manual_seed(1)
    norm = nn.GroupNorm(8, 64)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x, shortcut, gradient = _map(3, 64, 9, 7), _map(3, 64, 9, 7), _map(3, 64, 9, 7).detach()
    y = fused_norm.norm_relu(x, norm, shortcut if add else None, relu=relu)
    y.backward(gradient)
    fused = [x.grad, norm.weight.grad, norm.bias.grad, *([shortcut.grad] if add else [])]
    norm.zero_grad()
    x32, shortcut32 = x.detach().float().requires_grad_(), shortcut.detach().float().requires_grad_()
    z = norm(x32) + shortcut32 if add else norm(x32)
    z = F.relu(z) if relu else z
    z.backward(gradient.float())
    plain = [x32.grad, norm.weight.grad, norm.bias.grad, *([shortcut32.grad] if add else [])]
    torch.testing.assert_close(y.float(), z, rtol=1e-2, atol=1e-2)
    for ours, theirs in zip(fused, plain, strict=True):
        torch.testing.assert_close(ours.float(), theirs.float(), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("size", [(16, 16), (7, 9)])
def test_fused_pool_and_its_gradient_are_those_of_pytorch(kernels, size: tuple[int, int]):
    torch.manual_seed(2)
    # Distinct values, so that no window has two largest ones.
    values = torch.randperm(2 * 32 * size[0] * size[1])[: 2 * 32 * size[0] * size[1]].view(2, 32, *size) % 251
    x = (1.0 + values).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_()
    y = fused_norm.max_pool(x)
    x32 = x.detach().float().requires_grad_()
    z = F.max_pool2d(x32, 3, stride=2, padding=1)
    torch.testing.assert_close(y.float(), z)
    y.sum().backward()
    z.sum().backward()
    assert x.grad.float().sum() == pytest.approx(x32.grad.sum().item(), rel=1e-2)
