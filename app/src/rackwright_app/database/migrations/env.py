"""What Alembic runs for every command; connection and transaction are the caller's (``migrate``)."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
