"""Migrations of both stores, run by `harness.store.database`; new ones are written by hand."""
