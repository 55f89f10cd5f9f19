"""Whose seeds are whose, so that nothing is measured on what it was trained on.

A seed decides an episode's start. Demonstrations count up from 0, and each attempt that fails tries the seed
`RETRY_STRIDE` further; practice counts up from `FIRST_PRACTISED_SEED`. Measuring lies between.
"""

RETRY_STRIDE = 1000
MAX_ATTEMPTS = 10
"""At a demonstration."""
FIRST_PRACTISED_SEED = 100_000
