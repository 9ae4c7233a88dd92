"""how many of an answer's quotes are true, and what became of their repair"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('answers', sa.Column('citation_precision', sa.Float(), nullable=True))
    op.add_column('answers', sa.Column('repair', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('answers', 'repair')
    op.drop_column('answers', 'citation_precision')
