"""Pure numbers out of results: the official metrics, and the ranking.

Importers name the module: only `official` needs scikit-learn, and showing a ranking must not load it.
"""
