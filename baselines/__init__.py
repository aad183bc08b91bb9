"""Reference solvers. Each folder has exactly the shape of a submission."""
