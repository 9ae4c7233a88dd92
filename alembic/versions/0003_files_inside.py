"""files inside documents, what pages repeat, pages as pictures"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

COUNTS = ('pages_pictured', 'pages_blank', 'blank_tokens', 'repeated_tokens')


def upgrade() -> None:
    op.add_column('documents', sa.Column('uploaded', sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column('documents', sa.Column('depth', sa.Integer(), server_default='0', nullable=False))
    op.add_column('documents', sa.Column('root_id', sa.String(length=40), nullable=True))
    for name in COUNTS:
        kind = sa.BigInteger() if name.endswith('tokens') else sa.Integer()
        op.add_column('documents', sa.Column(name, kind, server_default='0', nullable=False))
    op.add_column('documents', sa.Column('sketch', sa.LargeBinary(), nullable=True))
    op.add_column('documents', sa.Column('outline', sa.JSON(), nullable=True))
    op.create_index(op.f('ix_documents_root_id'), 'documents', ['root_id'])
    for name in ('head', 'foot', 'repeated_tokens'):
        op.add_column('pages', sa.Column(name, sa.Integer(), server_default='0', nullable=False))
    for name in ('width', 'height'):
        op.add_column('pages', sa.Column(name, sa.Integer(), nullable=True))
    op.create_table('enclosures',
    sa.Column('parent_id', sa.String(length=40), nullable=False),
    sa.Column('ordinal', sa.Integer(), nullable=False),
    sa.Column('document_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['document_id'], ['documents.id'], name=op.f('fk_enclosures_document_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['parent_id'], ['documents.id'], name=op.f('fk_enclosures_parent_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('parent_id', 'ordinal', name=op.f('pk_enclosures'))
    )
    op.create_index(op.f('ix_enclosures_document_id'), 'enclosures', ['document_id'])


def downgrade() -> None:
    op.drop_index(op.f('ix_enclosures_document_id'), table_name='enclosures')
    op.drop_table('enclosures')
    for name in ('height', 'width', 'repeated_tokens', 'foot', 'head'):
        op.drop_column('pages', name)
    op.drop_index(op.f('ix_documents_root_id'), table_name='documents')
    for name in ('outline', 'sketch', *reversed(COUNTS), 'root_id', 'depth', 'uploaded'):
        op.drop_column('documents', name)
