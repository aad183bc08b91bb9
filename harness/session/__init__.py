"""One run: submission x task x k-shot seed, from start to scored artifact.

Nothing is imported here: reading a submission must not load a language model's libraries.

- ``submission``, ``archive``: what was handed in;
- ``arena``: what all runs of a round share;
- ``attempt``: one try at a run; ``blackbox`` answers its queries, ``prediction`` tests its solution;
- ``artifact``, ``trace``, ``provenance``: what is written down.
"""
