"""Gradfree Arena: evaluation harness for gradient-free tuning of language models.

Nothing is imported here: `harness.api` must stay light enough for the sandbox.
"""
