"""pictures that questions show, and the plans whose questions show them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'shown_images',
        sa.Column('sha256', sa.String(length=64), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('sha256', name=op.f('pk_shown_images')),
    )
    op.create_index(op.f('ix_shown_images_used_at'), 'shown_images', ['used_at'], unique=False)
    op.create_table(
        'plan_images',
        sa.Column('plan_id', sa.String(length=40), nullable=False),
        sa.Column('sha256', sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ['plan_id'], ['plans.id'], name=op.f('fk_plan_images_plan_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('plan_id', 'sha256', name=op.f('pk_plan_images')),
    )
    op.create_index(op.f('ix_plan_images_sha256'), 'plan_images', ['sha256'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_plan_images_sha256'), table_name='plan_images')
    op.drop_table('plan_images')
    op.drop_index(op.f('ix_shown_images_used_at'), table_name='shown_images')
    op.drop_table('shown_images')
