"""The two stores of an arena: `sealed` belongs to the worker, `public` is derived from it."""
