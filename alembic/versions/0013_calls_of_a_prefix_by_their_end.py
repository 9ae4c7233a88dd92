"""calls of a prefix by their end"""

from __future__ import annotations

from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_calls_prefix_sha256_finished_at', 'calls', ['prefix_sha256', 'finished_at'])
    op.drop_index('ix_calls_prefix_sha256', 'calls')


def downgrade() -> None:
    op.create_index('ix_calls_prefix_sha256', 'calls', ['prefix_sha256'])
    op.drop_index('ix_calls_prefix_sha256_finished_at', 'calls')
