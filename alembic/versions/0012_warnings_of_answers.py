"""warnings of answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('answers', sa.Column('warnings', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('answers', 'warnings')
