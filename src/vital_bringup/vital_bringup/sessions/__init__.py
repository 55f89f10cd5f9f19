"""What a person starts: deployment, recording, training."""
