"""Runs the migrations: on a connection that is handed in, or on `-x url=…` from the command line."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlalchemy import Connection, TypeDecorator
from sqlalchemy.sql.schema import SchemaItem

from service.store.session import Database
from service.store.tables import metadata


def _is_ours(
    item: SchemaItem,
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001 - alembic's own signature
    compare_to: SchemaItem | None,
) -> bool:
    """Leave the job system's tables alone: they share the database and migrate themselves."""
    del item, compare_to
    return not (kind == "table" and reflected and name not in metadata.tables)


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own column types as what they are in the database: a migration outlives the code."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=_is_ours,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with Database(context.get_x_argument(as_dictionary=True)["url"]).write() as own:
        _run(own)
