"""Sentences as numbers: words and their character n-grams, hashed, so that no vocabulary limits what may be said."""

import re
import zlib

import torch
from torch import Tensor

BUCKETS = 8192
PIECES_PER_WORD = 24
WORDS = 24


def _bucket(text: str) -> int:
    return 1 + zlib.crc32(text.encode()) % (BUCKETS - 1)


def pieces(word: str) -> list[int]:
    """Buckets of a word itself and of its n-grams of 3 to 4 letters (fastText's idea: typos stay near)."""
    marked = f"<{word}>"
    grams = [marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1)]
    return [_bucket(f"w:{word}"), *(_bucket(g) for g in grams)][:PIECES_PER_WORD]


def encode(sentence: str) -> Tensor:
    """(WORDS, PIECES_PER_WORD) int64 buckets of a sentence, 0 where there is nothing; the last words count."""
    words = re.findall(r"[a-z0-9]+", sentence.lower())[-WORDS:]
    table = torch.zeros(WORDS, PIECES_PER_WORD, dtype=torch.long)
    # Right-aligned: the network reads towards the end, where the destination stands.
    for row, word in enumerate(words, start=WORDS - len(words)):
        numbers = pieces(word)
        table[row, : len(numbers)] = torch.tensor(numbers)
    return table
