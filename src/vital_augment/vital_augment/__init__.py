"""Semantic augmentation: what a task is about stays, everything behind it changes (paper, section 3.3)."""
