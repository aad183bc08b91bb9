"""Migrations of the sealed store, oldest first."""
