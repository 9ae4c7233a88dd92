"""plans outlive their corpus"""

from __future__ import annotations

from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('plans') as batch_op:
        batch_op.drop_constraint(op.f('fk_plans_corpus_id'), type_='foreignkey')


def downgrade() -> None:
    op.execute('DELETE FROM plans WHERE corpus_id NOT IN (SELECT id FROM corpora)')
    with op.batch_alter_table('plans') as batch_op:
        batch_op.create_foreign_key(
            op.f('fk_plans_corpus_id'), 'corpora', ['corpus_id'], ['id'], ondelete='CASCADE'
        )
