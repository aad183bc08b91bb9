"""One run: submission x task x k-shot seed, from start to scored artifact.

Imports nothing, so that reading a submission loads no library of a language model.

- ``submission``, ``archive``, ``code_check``: the submitted files;
- ``loaded_round``: model, data and rules shared by all runs of a round;
- ``attempt``: one execution of a run; ``blackbox`` answers its queries, ``prediction`` and ``scoring`` test its
  solution;
- ``artifact``, ``trace``, ``provenance``: its records.
"""
