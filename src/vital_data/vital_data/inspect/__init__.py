"""Looking at recordings: tables, plots, playback."""
