"""`ros2 run vital_vlm_reach train_pointing`: renders scenes, trains the pointing network, examines it.

First the reader on sentences alone, then the detector on pictures alone. Pictures are kept in the output folder, so
that a second run trains at once; training goes on exactly from its last state.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vital_core.errors import VitalError
from vital_vlm_reach.pointing.embedded import EmbeddedPointing, read_weights, save_weights
from vital_vlm_reach.pointing.network import Detector, PointingNetwork, Reader
from vital_vlm_reach.pointing.text import encode
from vital_vlm_reach.pointing.training import see, speech
from vital_vlm_reach.pointing.training.examine import card, examine
from vital_vlm_reach.pointing.training.picture import Picture
from vital_vlm_reach.pointing.training.picture_sets import load_set, render_set, save_set
from vital_vlm_reach.pointing.training.prompts import NAMES
from vital_vlm_reach.pointing.training.train_state import Progress, read_state, write_state

log = logging.getLogger("train_pointing")
LOG_EVERY, SAVE_EVERY = 50, 100
WORD_BATCH = 256
WORD_RATE, PICTURE_RATE = 2e-3, 3e-3
# Of a word's pieces, and of whole words: what a sentence may lose and still be understood.
PIECES_LOST, WORDS_LOST = 0.15, 0.03
PART, FIRST_SEED, PART_SEEDS = 1700, 1_000_000, 500_000
Loss = Callable[[int], Tensor]


def draw_words(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Sentences (B, words, pieces), some pieces of them lost, and the class of what each asks for (B,)."""
    drawn = [speech.sentence(rng) for _ in range(count)]
    buckets = torch.stack([encode(text) for text, _ in drawn])
    # Sentences stand at the right: columns that no sentence needs cost as much as others.
    buckets = buckets[:, int((buckets[:, :, 0] > 0).any(0).nonzero()[0]) :]
    lost = torch.from_numpy(rng.random(buckets.shape, np.float32) < PIECES_LOST)
    lost |= torch.from_numpy(rng.random((*buckets.shape[:2], 1)) < WORDS_LOST)
    return buckets.masked_fill(lost, 0), torch.tensor([speech.class_of(thing) for _, thing in drawn])


def _step(optimiser: torch.optim.Optimizer, module: nn.Module, loss: Tensor, rate: float) -> None:
    optimiser.param_groups[0]["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
    optimiser.step()


def _share(step: int, steps: int) -> float:
    """Of the learning rate: a short rise, then a cosine down to 2 %."""
    return min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def _learn(module: nn.Module, loss_of: Loss, steps: int, rate: float, state: Path, settings: Progress) -> None:
    """Train to ``steps``, from the saved state where there is one of the same settings."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=1e-4)
    done = read_state(state, settings, module, optimiser) if state.is_file() else 0
    if done:
        log.info("%s: going on from step %d", state.stem, done)
    start, first, module = time.monotonic(), done, module.train()
    for step in range(done, steps):
        loss = loss_of(step)
        _step(optimiser, module, loss, rate * _share(step, steps))
        if (step + 1) % LOG_EVERY == 0:
            pace = (step + 1 - first) / (time.monotonic() - start)
            log.info("%s %5d / %d  %.4f  %.2f it/s", state.stem, step + 1, steps, loss.item(), pace)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            write_state(state, settings, step + 1, module, optimiser)


def learn_words(reader: Reader, folder: Path, settings: Progress) -> None:
    """The sentences."""

    def loss_of(step: int) -> Tensor:
        sentences, classes = draw_words(WORD_BATCH, np.random.default_rng([settings.seed, 1, step]))
        return functional.cross_entropy(reader(sentences), classes, label_smoothing=0.02)

    _learn(reader, loss_of, settings.word_steps, WORD_RATE, folder / "words.safetensors", settings)


def learn_pictures(detector: Detector, pictures: list[Picture], folder: Path, settings: Progress) -> None:
    """The pictures."""
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch knows it, its types do not

    def loss_of(step: int) -> Tensor:
        batch = see.draw(pictures, NAMES, settings.batch, np.random.default_rng([settings.seed, 2, step]))
        seen, off = see.losses_of(detector, batch)
        return seen + off

    _learn(detector, loss_of, settings.steps, PICTURE_RATE, folder / "pictures.safetensors", settings)


def train(
    pictures: list[Picture], folder: Path, settings: Progress, init: PointingNetwork | None = None
) -> PointingNetwork:
    """Train both to the settings' steps, from the weights of ``init`` where there is one."""
    torch.manual_seed(settings.seed)
    network = PointingNetwork()
    if init is not None:
        network.load_state_dict(init.state_dict())
    learn_words(network.reader, folder, settings)
    learn_pictures(network.detector, pictures, folder, settings)
    return network.eval()


def _pictures(folder: Path, count: int) -> list[Picture]:
    """Rendered in parts, each stored; what is stored already is not rendered again."""
    sizes = [size for size in (count % PART, *[PART] * (count // PART)) if size]
    pictures: list[Picture] = []
    for number, size in enumerate(sizes):
        stored = folder / f"pictures_{size}_{number}.npz"
        if not stored.is_file():
            save_set(stored, render_set(size, FIRST_SEED + PART_SEEDS * number))
            log.info("rendered %s", stored)
        pictures += load_set(stored)
    return pictures


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(prog="train_pointing", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/pointing"))
    parser.add_argument("--pictures", type=int, default=3400, help="640 x 480 each, in memory")
    parser.add_argument("--word-steps", type=int, default=7000, help="steps on sentences, 256 at a time")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--init", type=Path, help="begin with these weights; --steps 0 leaves the detector as it is")
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
    pictures = _pictures(options.out, options.pictures)
    settings = Progress(options.pictures, options.word_steps, options.steps, options.batch, options.seed)
    network = train(pictures, options.out, settings, read_weights(options.init) if options.init else None)
    weights = options.out / "pointing.safetensors"
    facts = {"command": command.strip(), "seed": str(options.seed), "steps": str(options.steps)}
    save_weights(weights, network, facts)
    figures = examine(EmbeddedPointing.load(weights), pictures=200, seed=9_000_000)
    (options.out / "pointing.md").write_text(card(facts, figures))
    log.info("wrote %s\n%s", weights, card(facts, figures))


if __name__ == "__main__":
    main()
