"""Residual reinforcement learning: a frozen policy acts, a small actor corrects it and learns online (paper, A1)."""
