"""The learner: from labelled episodes to weights."""
