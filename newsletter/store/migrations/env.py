"""What Alembic runs to migrate: on a connection, and in a transaction, that `store.migrate` has already begun."""

from alembic import context

from newsletter.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
