"""`ros2 run vital_vlm_reach train_pointing`: renders scenes, trains the pointing network, examines it.

Pictures are kept in the output folder, so that a second run trains at once; training goes on from its last
state.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from vital_core.errors import VitalError
from vital_vlm_reach.pointing import prompts
from vital_vlm_reach.pointing.embedded import EmbeddedPointing, save_weights
from vital_vlm_reach.pointing.examine import card, examine
from vital_vlm_reach.pointing.network import PointingNetwork, target_heat
from vital_vlm_reach.pointing.renders import Picture, load_set, render_set, save_set
from vital_vlm_reach.pointing.text import encode

log = logging.getLogger("train_pointing")
LOG_EVERY, SAVE_EVERY = 50, 100
ABSENT_SHARE = 0.35


def draw(pictures: list[Picture], count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A batch: pictures (B, 3, 240, 320) in 0..1, sentences, pixels (B, 2), in view (B,)."""
    images, sentences, pixels, present = [], [], [], []
    for i in rng.integers(len(pictures), size=count):
        picture = pictures[i]
        thing = _choose(picture, rng)
        text = prompts.sentence(prompts.LEARNED, thing, rng)
        sentences.append(encode(prompts.with_typo(text, rng) if rng.random() < 0.1 else text))
        images.append(picture.image)
        present.append(thing in picture.seen)
        pixels.append(picture.seen.get(thing, (0.0, 0.0)))
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255.0
    return _vary(batch, rng), torch.stack(sentences), torch.tensor(pixels), torch.tensor(present).float()


def _choose(picture: Picture, rng: np.random.Generator) -> str:
    """What to ask for: a target of the tasks most often, else something that stands about, else what does not."""
    targets = [n for n in picture.seen if n in prompts.LEARNED.held]
    others = [n for n in picture.seen if n not in prompts.LEARNED.held]
    if rng.random() > ABSENT_SHARE and (targets or others):
        return str(rng.choice(targets if targets and (not others or rng.random() < 0.65) else others))
    known = [n for n in prompts.LEARNED.names if n not in picture.seen and n not in picture.hidden]
    return str(rng.choice(known)) if known and rng.random() < 0.55 else prompts.absent_noun(rng)


def _vary(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Other light, other colours, a little noise."""
    count = len(batch)
    gain = torch.from_numpy(rng.uniform(0.75, 1.25, (count, 3, 1, 1)).astype(np.float32))
    lift = torch.from_numpy(rng.uniform(-0.08, 0.08, (count, 1, 1, 1)).astype(np.float32))
    noise = torch.randn(batch.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))
    return (batch * gain + lift + 0.015 * noise).clamp(0.0, 1.0)


def loss_of(network: PointingNetwork, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Cross entropy of the heatmap where the thing is in view, and of the word 'in view' itself."""
    picture, sentence, pixel, present = batch
    with torch.autocast("cpu", torch.bfloat16):
        heat, logit = network(picture.contiguous(memory_format=torch.channels_last), sentence)
    where = -(target_heat(pixel) * heat.float().flatten(1).log_softmax(-1).view_as(heat)).sum((1, 2))
    pointing = (where * present).sum() / present.sum().clamp(min=1)
    return pointing, functional.binary_cross_entropy_with_logits(logit.float(), present)


def train(pictures: list[Picture], folder: Path, steps: int, batch: int, seed: int) -> PointingNetwork:
    """Train to ``steps``, from the saved state where there is one."""
    torch.manual_seed(seed)
    network = PointingNetwork().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1.5e-3, weight_decay=1e-4)
    state, done = folder / "state.safetensors", 0
    if state.is_file():
        tensors = load_file(state)
        done = int(tensors.pop("steps"))
        network.load_state_dict(tensors)
        log.info("going on from step %d", done)
    start, first = time.monotonic(), done
    network.train()
    for step in range(done, steps):
        rate = 1.5e-3 * min(1.0, (step + 1) / 100) * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * step / steps)))
        optimiser.param_groups[0]["lr"] = rate
        where, present = loss_of(network, draw(pictures, batch, np.random.default_rng([seed, step])))
        optimiser.zero_grad(set_to_none=True)
        (where + 2.0 * present).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % LOG_EVERY == 0:
            pace = (step + 1 - first) / (time.monotonic() - start)
            log.info(
                "%5d / %d  where %.3f  in view %.3f  %.2f it/s", step + 1, steps, where.item(), present.item(), pace
            )
        if (step + 1) % SAVE_EVERY == 0:
            weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
            save_file({**weights, "steps": torch.tensor(step + 1)}, state)
    return network.eval()


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(prog="train_pointing", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/pointing"))
    parser.add_argument("--pictures", type=int, default=2500)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        _run(options, "ros2 run vital_vlm_reach train_pointing " + " ".join(arguments or sys.argv[1:]))
    except VitalError as error:
        log.error("%s", error)
        sys.exit(2)


def _run(options: argparse.Namespace, command: str) -> None:
    def say(done: int, total: int) -> None:
        if done % 250 == 0:
            log.info("rendered %d of %d", done, total)

    stored = options.out / f"pictures_{options.pictures}.npz"
    if not stored.is_file():
        save_set(stored, render_set(options.pictures, 1_000_000, say))
    network = train(load_set(stored), options.out, options.steps, options.batch, options.seed)
    weights = options.out / "pointing.safetensors"
    facts = {"command": command.strip(), "seed": str(options.seed), "steps": str(options.steps)}
    save_weights(weights, network, facts)
    figures = examine(EmbeddedPointing.load(weights), pictures=200, seed=9_000_000)
    (options.out / "pointing.md").write_text(card(facts, figures))
    log.info("wrote %s\n%s", weights, card(facts, figures))


if __name__ == "__main__":
    main()
