"""Sentences as numbers: words and their character n-grams, hashed, so that no vocabulary limits what may be said."""

import re
import unicodedata
import zlib
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

BUCKETS = 16384
PIECES_PER_WORD = 40
WORDS = 24
_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 24


def _bucket(text: str) -> int:
    return 1 + zlib.crc32(text.encode()) % (BUCKETS - 1)


def words_of(sentence: str) -> list[str]:
    """A sentence's words without case, accents and punctuation; "don't" is `dont`."""
    plain = unicodedata.normalize("NFKD", sentence.casefold())
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return [word[:_LONGEST_WORD] for word in _WORD.findall(bare.replace("'", "").replace("\u2019", ""))]


@lru_cache(maxsize=50_000)
def pieces(word: str) -> tuple[int, ...]:
    """Buckets of a word itself and of its n-grams of 3 to 4 letters (fastText's idea: typos stay near); of other
    alphabets, where a word may be two letters, of 1 and 2."""
    marked, lengths = (f"<{word}>", (3, 4)) if word.isascii() else (word, (1, 2))
    grams = [marked[i : i + n] for n in lengths for i in range(len(marked) - n + 1)]
    return (_bucket(f"w:{word}"), *(_bucket(g) for g in grams))[:PIECES_PER_WORD]


def encode(sentence: str) -> Tensor:
    """(WORDS, PIECES_PER_WORD) int64 buckets of a sentence, 0 where there is nothing; the last words count."""
    words = words_of(sentence)[-WORDS:]
    table = np.zeros((WORDS, PIECES_PER_WORD), np.int64)
    # Right-aligned: the destination of an instruction stands at its end.
    for row, word in enumerate(words, start=WORDS - len(words)):
        numbers = pieces(word)
        table[row, : len(numbers)] = numbers
    return torch.from_numpy(table)
