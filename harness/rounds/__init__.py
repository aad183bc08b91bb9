"""The life of a round: rounds and submissions come in, a worker runs them, results go out.

Nothing is imported here: showing a round must not load a language model's libraries.
"""
