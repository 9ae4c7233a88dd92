"""conversations, and what of them a provider may hold"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('conversations',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('tenant', sa.String(length=40), nullable=False),
    sa.Column('corpus_id', sa.String(length=40), nullable=False),
    sa.Column('title', sa.Text(), nullable=True),
    sa.Column('listed_through', sa.String(length=40), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['corpus_id'], ['corpora.id'], name=op.f('fk_conversations_corpus_id'),
                            ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conversations'))
    )
    op.create_index(op.f('ix_conversations_corpus_id'), 'conversations', ['corpus_id'])
    op.create_index(op.f('ix_conversations_tenant'), 'conversations', ['tenant'])
    op.add_column('answers', sa.Column('conversation_id', sa.String(length=40), nullable=True))
    op.create_index(op.f('ix_answers_conversation_id'), 'answers', ['conversation_id'])
    op.add_column('prefixes', sa.Column('talk', sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column('prefixes', 'talk')
    op.drop_index(op.f('ix_answers_conversation_id'), table_name='answers')
    op.drop_column('answers', 'conversation_id')
    op.drop_index(op.f('ix_conversations_tenant'), table_name='conversations')
    op.drop_index(op.f('ix_conversations_corpus_id'), table_name='conversations')
    op.drop_table('conversations')
