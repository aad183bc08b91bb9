"""Migrations of the public store, oldest first."""
