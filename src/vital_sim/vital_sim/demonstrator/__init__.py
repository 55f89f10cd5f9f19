"""The scripted demonstrator and the scripted operator."""
