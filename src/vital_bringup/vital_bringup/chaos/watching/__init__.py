"""What is seen and heard of a stack under faults."""
