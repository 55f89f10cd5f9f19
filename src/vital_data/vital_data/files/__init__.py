"""What lies on disk: sessions, episodes, MCAP files, their indices."""
