"""Baselines and gradient references. A baseline's folder has exactly the shape of a submission."""
