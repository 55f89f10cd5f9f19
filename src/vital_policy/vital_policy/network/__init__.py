"""The visuo-tactile network."""
