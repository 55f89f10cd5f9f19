"""The page over a network: TLS, a PIN at the door, and behind it what the loopback serves."""
