"""Isolating and watching a solver process from outside: the bubblewrap command, filters, limits, log."""
