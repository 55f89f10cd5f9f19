"""The replay: steps on disk that are acknowledged when they are durable."""
