"""The residual algorithm: n-step DDPG on frozen features."""
