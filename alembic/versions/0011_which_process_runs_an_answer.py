"""which process runs an answer"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('answers', sa.Column('seat', sa.String(length=40), nullable=True))


def downgrade() -> None:
    op.drop_column('answers', 'seat')
