"""what calls were expected to be and were, packs a provider may hold, its rate limits"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('answers', sa.Column('cache', sa.JSON(), nullable=True))
    op.create_table('observations',
    sa.Column('call_id', sa.String(length=60), nullable=False),
    sa.Column('tenant', sa.String(length=40), nullable=False),
    sa.Column('engine', sa.String(length=60), nullable=False),
    sa.Column('model', sa.String(length=100), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('effort', sa.String(length=20), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('tier', sa.String(length=20), nullable=False),
    sa.Column('pictures', sa.Integer(), nullable=False),
    sa.Column('predicted_prompt_tokens', sa.BigInteger(), nullable=False),
    sa.Column('counted_prompt_tokens', sa.BigInteger(), nullable=False),
    sa.Column('prompt_tokens', sa.BigInteger(), nullable=False),
    sa.Column('forecast_cached_tokens', sa.BigInteger(), nullable=False),
    sa.Column('cached_tokens', sa.BigInteger(), nullable=True),
    sa.Column('expected_completion_tokens', sa.BigInteger(), nullable=False),
    sa.Column('completion_tokens', sa.BigInteger(), nullable=False),
    sa.Column('expected_usd', sa.String(length=40), nullable=True),
    sa.Column('actual_usd', sa.String(length=40), nullable=True),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_observations_call_id')),
    sa.PrimaryKeyConstraint('call_id', name=op.f('pk_observations'))
    )
    op.create_index('ix_observations_learning', 'observations', ['engine', 'model', 'at'])
    op.create_table('prefixes',
    sa.Column('tenant', sa.String(length=40), nullable=False),
    sa.Column('engine', sa.String(length=60), nullable=False),
    sa.Column('model', sa.String(length=100), nullable=False),
    sa.Column('prefix_sha256', sa.String(length=64), nullable=False),
    sa.Column('head', sa.String(length=16), nullable=False),
    sa.Column('corpus_id', sa.String(length=40), nullable=False),
    sa.Column('lead', sa.String(length=16), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('chain', sa.LargeBinary(), nullable=False),
    sa.Column('documents', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('tenant', 'engine', 'model', 'prefix_sha256', name=op.f('pk_prefixes'))
    )
    op.create_index('ix_prefixes_head', 'prefixes', ['tenant', 'head'])
    op.create_index('ix_prefixes_corpus', 'prefixes', ['tenant', 'corpus_id'])
    op.create_index(op.f('ix_prefixes_used_at'), 'prefixes', ['used_at'])
    op.create_table('rate_limits',
    sa.Column('engine', sa.String(length=60), nullable=False),
    sa.Column('model', sa.String(length=100), nullable=False),
    sa.Column('band', sa.String(length=10), nullable=False),
    sa.Column('limit_tokens', sa.BigInteger(), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('engine', 'model', 'band', name=op.f('pk_rate_limits'))
    )


def downgrade() -> None:
    op.drop_table('rate_limits')
    op.drop_index(op.f('ix_prefixes_used_at'), table_name='prefixes')
    op.drop_index('ix_prefixes_corpus', table_name='prefixes')
    op.drop_index('ix_prefixes_head', table_name='prefixes')
    op.drop_table('prefixes')
    op.drop_index('ix_observations_learning', table_name='observations')
    op.drop_table('observations')
    op.drop_column('answers', 'cache')
