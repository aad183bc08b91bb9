"""Pure functions from results to numbers: metrics, bootstrap intervals, ranking, tiers, efficiency.

Needs numpy alone. Importers name the module.
"""
