"""`ros2 run vital_vlm_reach train_pointing`: renders scenes, trains the pointing network, examines it.

First the words alone (which known thing does a sentence name, if any), then words and pictures together. Pictures
are kept in the output folder, so that a second run trains at once; training goes on exactly from its last state.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vital_core.errors import VitalError
from vital_vlm_reach.pointing.embedded import EmbeddedPointing, begin_from, save_weights
from vital_vlm_reach.pointing.network import PointingNetwork, target_heat
from vital_vlm_reach.pointing.text import encode
from vital_vlm_reach.pointing.training import prompts
from vital_vlm_reach.pointing.training.examine import card, examine
from vital_vlm_reach.pointing.training.renders import Picture, load_set, render_set, save_set
from vital_vlm_reach.pointing.training.train_state import Progress, read_state, write_state

log = logging.getLogger("train_pointing")
LOG_EVERY, SAVE_EVERY = 50, 100
ABSENT_SHARE = 0.35
OTHER_TARGET_SHARE = 0.35
MOST_SHIFT_PX = 16
WORD_BATCH = 256
LEARNING_RATE = 1.5e-3
NAMES = tuple(prompts.LEARNED.names)
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def class_of(thing: str) -> int:
    """Index of a known thing; one past the last for anything else."""
    return NAMES.index(thing) if thing in NAMES else len(NAMES)


def _sentence_naming(thing: str, rng: np.random.Generator) -> Tensor:
    text = prompts.sentence(prompts.LEARNED, thing, rng)
    return encode(prompts.with_typo(text, rng) if rng.random() < 0.1 else text)


def draw_words(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Sentences and the class of what each names, as often something unknown as two known things."""
    things = [prompts.absent_noun(rng) if rng.random() < 0.4 else str(rng.choice(NAMES)) for _ in range(count)]
    return torch.stack([_sentence_naming(thing, rng) for thing in things]), torch.tensor([class_of(t) for t in things])


def draw(pictures: list[Picture], count: int, rng: np.random.Generator) -> Batch:
    """A batch: pictures (B, 3, 240, 320) in 0..1, sentences, pixels (B, 2), in view (B,), class (B,)."""
    images, sentences, pixels, present, classes = [], [], [], [], []
    for i in rng.integers(len(pictures), size=count):
        picture = pictures[i]
        thing = _choose(picture, rng)
        image, pixel = _shifted(picture.image, picture.seen.get(thing), rng)
        sentences.append(_sentence_naming(thing, rng))
        images.append(image)
        present.append(thing in picture.seen)
        pixels.append(pixel)
        classes.append(class_of(thing))
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255.0
    return (
        _vary(batch, rng),
        torch.stack(sentences),
        torch.tensor(pixels),
        torch.tensor(present).float(),
        torch.tensor(classes),
    )


def _shifted(image: np.ndarray, pixel: tuple[float, float] | None, rng: np.random.Generator):
    """The picture moved by whole pixels, its edge repeated, no farther than what is asked for stays in view."""
    height, width = image.shape[:2]
    low, high = np.full(2, -MOST_SHIFT_PX), np.full(2, MOST_SHIFT_PX)
    if pixel is not None:
        low = np.maximum(low, 2 - np.floor(pixel).astype(int)).clip(max=0)
        high = np.minimum(high, np.array([width, height]) - 3 - np.ceil(pixel).astype(int)).clip(min=0)
    right, down = (int(rng.integers(a, b + 1)) for a, b in zip(low, high, strict=True))
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    moved = (0.0, 0.0) if pixel is None else (pixel[0] + right, pixel[1] + down)
    return image[rows][:, columns], moved


def _choose(picture: Picture, rng: np.random.Generator) -> str:
    """What to ask for: a target of the tasks most often, else something that stands about, else what does not."""
    targets = [n for n in picture.seen if n in prompts.TARGETS]
    others = [n for n in picture.seen if n not in prompts.TARGETS]
    if rng.random() > ABSENT_SHARE and (targets or others):
        return str(rng.choice(targets if targets and (not others or rng.random() < 0.65) else others))
    known = [n for n in NAMES if n not in picture.seen and n not in picture.hidden]
    missing_targets = [n for n in known if n in prompts.TARGETS]
    if missing_targets and rng.random() < OTHER_TARGET_SHARE:
        return str(rng.choice(missing_targets))
    return str(rng.choice(known)) if known and rng.random() < 0.4 else prompts.absent_noun(rng)


def _vary(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Other light, other colours, a little noise."""
    count = len(batch)
    gain = torch.from_numpy(rng.uniform(0.75, 1.25, (count, 3, 1, 1)).astype(np.float32))
    lift = torch.from_numpy(rng.uniform(-0.08, 0.08, (count, 1, 1, 1)).astype(np.float32))
    noise = torch.randn(batch.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))
    return (batch * gain + lift + 0.015 * noise).clamp(0.0, 1.0)


def losses_of(network: PointingNetwork, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropies: of the heatmap where the thing is in view, of 'in view' itself, of the thing named."""
    picture, sentence, pixel, present, named = batch
    with torch.autocast("cpu", torch.bfloat16):
        heat, logit, names = network(picture.contiguous(memory_format=torch.channels_last), sentence)
    where = -(target_heat(pixel) * heat.float().flatten(1).log_softmax(-1).view_as(heat)).sum((1, 2))
    pointing = (where * present).sum() / present.sum().clamp(min=1)
    in_view = functional.binary_cross_entropy_with_logits(logit.float(), present)
    return pointing, in_view, functional.cross_entropy(names.float(), named)


def _step(optimiser: torch.optim.Optimizer, network: PointingNetwork, loss: Tensor, rate: float) -> None:
    optimiser.param_groups[0]["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


def _rate(step: int, steps: int) -> float:
    """Learning rate: a short rise, then a cosine down to 3 %."""
    return LEARNING_RATE * min(1.0, (step + 1) / 100) * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * step / steps)))


def learn_words(network: PointingNetwork, optimiser: torch.optim.Optimizer, steps: int, seed: int) -> None:
    """The sentences alone; quick, so it is not resumed."""
    for step in range(steps):
        sentences, classes = draw_words(WORD_BATCH, np.random.default_rng([seed, 1, step]))
        loss = functional.cross_entropy(network.named(sentences), classes)
        _step(optimiser, network, loss, _rate(step, steps))
        if (step + 1) % LOG_EVERY == 0:
            log.info("words %5d / %d  %.3f", step + 1, steps, loss.item())


def train(pictures: list[Picture], folder: Path, settings: Progress, init: Path | None = None) -> PointingNetwork:
    """Train to ``settings.steps``, from the saved state where there is one of the same settings, else from ``init``."""
    torch.manual_seed(settings.seed)
    network = PointingNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch knows it, its types do not
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    state = folder / "state.safetensors"
    done = read_state(state, settings, network, optimiser) if state.is_file() else 0
    if done:
        log.info("going on from step %d", done)
    else:
        if init is not None:
            log.info("%d tensors taken over from %s", begin_from(init, network), init)
        learn_words(network, optimiser, settings.word_steps, settings.seed)
    start, first = time.monotonic(), done
    for step in range(done, settings.steps):
        batch = draw(pictures, settings.batch, np.random.default_rng([settings.seed, 2, step]))
        where, present, named = losses_of(network, batch)
        _step(optimiser, network, where + 2.0 * present + 0.5 * named, _rate(step, settings.steps))
        if (step + 1) % LOG_EVERY == 0:
            pace = (step + 1 - first) / (time.monotonic() - start)
            figures = (step + 1, settings.steps, where.item(), present.item(), named.item(), pace)
            log.info("%5d / %d  where %.3f  in view %.3f  named %.3f  %.2f it/s", *figures)
        if (step + 1) % SAVE_EVERY == 0:
            write_state(state, settings, step + 1, network, optimiser)
    return network.eval()


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(prog="train_pointing", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/pointing"))
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--word-steps", type=int, default=800, help="steps on sentences alone, 256 at a time")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--init", type=Path, help="weights to begin with, as far as they fit; those of fewer things do")
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
    settings = Progress(options.pictures, options.word_steps, options.steps, options.batch, options.seed)
    network = train(load_set(stored), options.out, settings, options.init)
    weights = options.out / "pointing.safetensors"
    facts = {"command": command.strip(), "seed": str(options.seed), "steps": str(options.steps)}
    save_weights(weights, network, facts)
    figures = examine(EmbeddedPointing.load(weights), pictures=200, seed=9_000_000)
    (options.out / "pointing.md").write_text(card(facts, figures))
    log.info("wrote %s\n%s", weights, card(facts, figures))


if __name__ == "__main__":
    main()
