"""Alembic's entry: migrate over the connection, and in the transaction, that the caller opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    transactional_ddl=True,
    # SQLite cannot alter a column in place: Alembic copies the table instead.
    render_as_batch=True,
)
context.run_migrations()
