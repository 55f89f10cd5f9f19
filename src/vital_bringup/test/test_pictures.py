"""The README's pictures are there, small enough to load, and move."""

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[3]


def test_every_picture_of_the_readme_is_there_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(shown) >= 2
    assert {name: size for name in shown if (size := (ROOT / name).stat().st_size) > 2_000_000} == {}


def test_the_insertion_is_an_animation_that_ends_in_another_picture() -> None:
    with Image.open(ROOT / "docs" / "pictures" / "insertion.webp") as animation:
        assert animation.n_frames > 15
        first = animation.convert("L").tobytes()
        animation.seek(animation.n_frames - 1)
        assert animation.convert("L").tobytes() != first
