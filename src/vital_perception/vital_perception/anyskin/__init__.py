"""The AnySkin pad: serial protocol, mounting, stream."""
