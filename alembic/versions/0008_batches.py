"""questions put through a provider's batches"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'batches',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('tenant', sa.String(length=40), nullable=False),
        sa.Column('corpus_id', sa.String(length=40), nullable=False),
        sa.Column('engine', sa.String(length=60), nullable=False),
        sa.Column('model', sa.String(length=100), nullable=False),
        sa.Column('status', sa.String(length=20), nullable=False),
        sa.Column('cancel_requested', sa.Boolean(), nullable=False),
        sa.Column('expected_usd', sa.String(length=40), nullable=True),
        sa.Column('most_lines', sa.Integer(), nullable=True),
        sa.Column('error', sa.JSON(), nullable=True),
        sa.Column('idempotency_key', sa.String(length=200), nullable=True),
        sa.Column('request_sha256', sa.String(length=64), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_batches')),
        sa.UniqueConstraint('tenant', 'idempotency_key', name=op.f('uq_batches_tenant_idempotency_key')),
    )
    op.create_index(op.f('ix_batches_tenant'), 'batches', ['tenant'])
    op.create_index(op.f('ix_batches_status'), 'batches', ['status'])
    op.create_table(
        'batch_files',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('batch_id', sa.String(length=40), nullable=False),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('lines', sa.Integer(), nullable=False),
        sa.Column('bytes', sa.BigInteger(), nullable=False),
        sa.Column('input_id', sa.String(length=200), nullable=True),
        sa.Column('provider_id', sa.String(length=200), nullable=True),
        sa.Column('provider_status', sa.String(length=40), nullable=True),
        sa.Column('done', sa.Integer(), nullable=False),
        sa.Column('failed', sa.Integer(), nullable=False),
        sa.Column('output_sha256', sa.String(length=64), nullable=True),
        sa.Column('errors_sha256', sa.String(length=64), nullable=True),
        sa.Column('unknown', sa.Integer(), nullable=False),
        sa.Column('error', sa.JSON(), nullable=True),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ['batch_id'], ['batches.id'], name=op.f('fk_batch_files_batch_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_batch_files')),
    )
    op.create_index(op.f('ix_batch_files_batch_id'), 'batch_files', ['batch_id'])
    op.create_table(
        'batch_lines',
        sa.Column('file_id', sa.String(length=40), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('call_id', sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_batch_lines_call_id')),
        sa.ForeignKeyConstraint(
            ['file_id'], ['batch_files.id'], name=op.f('fk_batch_lines_file_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('file_id', 'number', name=op.f('pk_batch_lines')),
    )
    op.create_index(op.f('ix_batch_lines_call_id'), 'batch_lines', ['call_id'])
    op.add_column('answers', sa.Column('batch_id', sa.String(length=40), nullable=True))
    op.add_column('answers', sa.Column('batch_number', sa.Integer(), nullable=True))
    op.create_index(op.f('ix_answers_batch_id'), 'answers', ['batch_id'])


def downgrade() -> None:
    op.drop_index(op.f('ix_answers_batch_id'), table_name='answers')
    op.drop_column('answers', 'batch_number')
    op.drop_column('answers', 'batch_id')
    op.drop_table('batch_lines')
    op.drop_table('batch_files')
    op.drop_table('batches')
