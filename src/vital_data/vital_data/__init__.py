"""Recorded demonstrations: sessions of episodes, data sets, conversion, plots."""
