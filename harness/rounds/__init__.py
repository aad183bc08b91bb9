"""The organizer's operations on rounds: creation, intake, final, export, verification, replay, backup.

Imports nothing, so that showing a round loads no library of a language model.
"""
