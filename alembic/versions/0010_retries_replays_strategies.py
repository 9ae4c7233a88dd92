"""what an answer goes on with or reads again, whose reply a call holds, and how a pack was packed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('answers', sa.Column('retry_of', sa.String(length=40), nullable=True))
    op.add_column('answers', sa.Column('retried_as', sa.String(length=40), nullable=True))
    op.add_column('answers', sa.Column('replay_of', sa.String(length=40), nullable=True))
    op.add_column('calls', sa.Column('kept_from', sa.String(length=60), nullable=True))
    op.add_column('prefixes', sa.Column('strategy', sa.String(length=10), nullable=True))


def downgrade() -> None:
    op.drop_column('prefixes', 'strategy')
    op.drop_column('calls', 'kept_from')
    op.drop_column('answers', 'replay_of')
    op.drop_column('answers', 'retried_as')
    op.drop_column('answers', 'retry_of')
