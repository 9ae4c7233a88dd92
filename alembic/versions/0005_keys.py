"""keys, and which of them money was spent with"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('keys',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('tenant', sa.String(length=40), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('prefix', sa.String(length=20), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_keys')),
    sa.UniqueConstraint('hash', name=op.f('uq_keys_hash'))
    )
    op.create_index(op.f('ix_keys_tenant'), 'keys', ['tenant'])
    for table in ('reservations', 'ledger'):
        op.add_column(table, sa.Column('key_id', sa.String(length=40), nullable=True))


def downgrade() -> None:
    for table in ('ledger', 'reservations'):
        op.drop_column(table, 'key_id')
    op.drop_index(op.f('ix_keys_tenant'), table_name='keys')
    op.drop_table('keys')
