"""The page itself, on viser: it shows what it is given, and says what was pressed."""
