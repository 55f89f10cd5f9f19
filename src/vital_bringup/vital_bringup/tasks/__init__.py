"""The task server and the skills it calls."""
