"""Migrations of the sealed store; `env.py` is Alembic's entry."""
