"""Policies in trials, and the page that tells of them."""
