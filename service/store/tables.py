"""The tables: the one place that says how things are kept.

Texts of pages stand apart from their counts, so that planning never pages through text. Money is in integer
micro-dollars where it is reserved, and an exact decimal string where it is reported.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    true,
)


class Moment(TypeDecorator[datetime]):
    """An instant in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the interface
        """Keep UTC only."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the interface
        """SQLite forgets the zone: it was UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Exact(TypeDecorator[Decimal]):
    """A decimal number kept to its last digit."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the interface
        """Keep all digits, as text."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the interface
        """And back."""
        return None if value is None else Decimal(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("filename", Text, nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer, nullable=False),
    Column("progress_unit", String(20), nullable=False),
    Column("pages", Integer, nullable=False),
    Column("pages_tokens", BigInteger, nullable=False),
    Column("chars", BigInteger, nullable=False),
    Column("pages_without_text", Integer, nullable=False),
    Column("title", Text),
    Column("pack_sha256", String(64), nullable=False),
    Column("encoding", String(60), nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("error", JSON),
    Column("created_at", Moment, nullable=False),
    Column("ready_at", Moment),
    # How it came: by itself, or as a file inside another, so many levels below the one that was uploaded.
    Column("uploaded", Boolean, nullable=False, server_default=true()),
    Column("depth", Integer, nullable=False, server_default="0"),
    Column("root_id", String(40), index=True),
    # What of its pages can be seen as pictures, is blank, or repeats headers and footers.
    Column("pages_pictured", Integer, nullable=False, server_default="0"),
    Column("pages_blank", Integer, nullable=False, server_default="0"),
    Column("blank_tokens", BigInteger, nullable=False, server_default="0"),
    Column("repeated_tokens", BigInteger, nullable=False, server_default="0"),
    Column("sketch", LargeBinary),
    Column("outline", JSON),
    UniqueConstraint("tenant", "sha256"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("filename", Text, nullable=False),
    Column("corpus_id", String(40)),
    # The document it became, once it was completed.
    Column("document_id", String(40)),
    Column("created_at", Moment, nullable=False),
)

upload_parts = Table(
    "upload_parts",
    metadata,
    Column("upload_id", ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("blob_key", String(100), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

pages = Table(
    "pages",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("label", String(200)),
    Column("tokens", Integer, nullable=False),
    Column("chars", Integer, nullable=False),
    Column("flags", String(200), nullable=False),
    # Characters of a repeated header and footer, and what the page counts less without them.
    Column("head", Integer, nullable=False, server_default="0"),
    Column("foot", Integer, nullable=False, server_default="0"),
    Column("repeated_tokens", Integer, nullable=False, server_default="0"),
    # Its size in pixels, where it can be seen as a picture.
    Column("width", Integer),
    Column("height", Integer),
)

# Files that came inside another document: an archive's members, a mail's attachments.
enclosures = Table(
    "enclosures",
    metadata,
    Column("parent_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
)

page_texts = Table(
    "page_texts",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)

corpora = Table(
    "corpora",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("next_ordinal", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("corpus_id", ForeignKey("corpora.id", ondelete="CASCADE"), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("wrapper_tokens", Integer, nullable=False),
    UniqueConstraint("corpus_id", "ordinal"),
)

# Its turns are answers.
conversations = Table(
    "conversations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False, index=True),
    Column("corpus_id", ForeignKey("corpora.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("title", Text),
    # The last answer of the turns that are sent as a list alone.
    Column("listed_through", String(40)),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False),
    # A plan that an answer was made from outlives its corpus: it is the receipt, and holds the pictures.
    Column("corpus_id", String(40), nullable=False, index=True),
    Column("request", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False),
    # An answer outlives its corpus: what was paid for stays.
    Column("corpus_id", String(40), nullable=False, index=True),
    Column("plan_id", String(40), nullable=False),
    Column("idempotency_key", String(200)),
    Column("request_sha256", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("model", String(100), nullable=False),
    Column("status", String(20), nullable=False, index=True),
    Column("cancel_requested", Integer, nullable=False),
    Column("request", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("engine", String(60), nullable=False),
    Column("text", Text, nullable=False),
    Column("output", JSON),
    Column("citations", JSON, nullable=False),
    Column("usage", JSON),
    Column("actual_usd", Exact),
    Column("reserved_micros", BigInteger, nullable=False),
    Column("finish_reason", String(40)),
    Column("refusal", Text),
    Column("error", JSON),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("first_token_at", Moment),
    Column("finished_at", Moment),
    # What came of the forecast of cached tokens, and why.
    Column("cache", JSON),
    Column("conversation_id", String(40), index=True),
    Column("citation_precision", Float),
    # What became of the repair round, where one was asked for.
    Column("repair", JSON),
    # The batch that it waits for, and its place there.
    Column("batch_id", String(40), index=True),
    Column("batch_number", Integer),
    # The answer that it goes on with, the one that goes on with it, and the one whose pack it reads again.
    Column("retry_of", String(40)),
    Column("retried_as", String(40)),
    Column("replay_of", String(40)),
    # The process that runs it; none until one does.
    Column("seat", String(40)),
    # What its replies gave cause to warn of; its plan has warnings of its own.
    Column("warnings", JSON),
    UniqueConstraint("tenant", "idempotency_key"),
)

answer_events = Table(
    "answer_events",
    metadata,
    Column("answer_id", ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(20), nullable=False),
    Column("data", JSON, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("answer_id", ForeignKey("answers.id"), nullable=False),
    Column("part", Integer, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("prefix_sha256", String(64), nullable=False),
    Column("reserved_micros", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("reply", JSON),
    Column("usage", JSON),
    Column("finish_reason", String(40)),
    Column("refusal", Text),
    Column("service_tier", String(40)),
    Column("request_id", String(200)),
    Column("actual_usd", Exact),
    Column("error", JSON),
    Column("sent_at", Moment),
    Column("finished_at", Moment),
    # The call of an earlier answer whose reply it holds: it was paid for there.
    Column("kept_from", String(60)),
    UniqueConstraint("answer_id", "part"),
    Index("ix_calls_prefix_sha256_finished_at", "prefix_sha256", "finished_at"),
)

# A key's secret is not kept: only its hash, and how it begins.
keys = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("prefix", String(20), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
    UniqueConstraint("hash"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("call_id", ForeignKey("calls.id"), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("corpus_id", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("budgets", JSON, nullable=False),
    # The key that the question was asked with, where there was one.
    Column("key_id", String(40)),
    CheckConstraint("micros >= 0", name="micros_not_negative"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False, index=True),
    Column("tenant", String(40), nullable=False),
    Column("corpus_id", String(40), nullable=False),
    Column("call_id", String(60), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("actual_usd", Exact),
    Column("key_id", String(40)),
    Index("ix_ledger_call_id", "call_id"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("tenant", String(40), primary_key=True),
    Column("scope", String(60), primary_key=True),
    Column("period", String(10), nullable=False),
    Column("period_start", Moment, nullable=False),
    Column("cap_micros", BigInteger, nullable=False),
    Column("spent_micros", BigInteger, nullable=False),
    Column("reserved_micros", BigInteger, nullable=False),
    CheckConstraint("reserved_micros >= 0", name="reserved_not_negative"),
)

# Pictures that questions show, in the file store under their hashes, and the plans whose questions show them.
shown_images = Table(
    "shown_images",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("used_at", Moment, nullable=False, index=True),
)

plan_images = Table(
    "plan_images",
    metadata,
    Column("plan_id", ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), primary_key=True, index=True),
)

# What each settled call was expected to be, and what it was.
observations = Table(
    "observations",
    metadata,
    Column("call_id", ForeignKey("calls.id"), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("engine", String(60), nullable=False),
    Column("model", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("effort", String(20), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("tier", String(20), nullable=False),
    Column("pictures", Integer, nullable=False),
    # By the plan, its correction included, and by the plan's own count alone.
    Column("predicted_prompt_tokens", BigInteger, nullable=False),
    Column("counted_prompt_tokens", BigInteger, nullable=False),
    # By the provider.
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("forecast_cached_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger),
    Column("expected_completion_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("expected_usd", Exact),
    Column("actual_usd", Exact),
    Index("ix_observations_learning", "engine", "model", "at"),
)

# Packs that a provider may still hold in its prefix cache.
prefixes = Table(
    "prefixes",
    metadata,
    Column("tenant", String(40), primary_key=True),
    Column("engine", String(60), primary_key=True),
    Column("model", String(100), primary_key=True),
    Column("prefix_sha256", String(64), primary_key=True),
    Column("head", String(16), nullable=False),
    Column("corpus_id", String(40), nullable=False),
    Column("lead", String(16), nullable=False),
    Column("used_at", Moment, nullable=False, index=True),
    Column("chain", LargeBinary, nullable=False),
    Column("documents", JSON, nullable=False),
    # In a conversation, what stood behind the documents.
    Column("talk", LargeBinary),
    # The strategy that it was packed by; packs of others are no news for one.
    Column("strategy", String(10)),
    Index("ix_prefixes_head", "tenant", "head"),
    Index("ix_prefixes_corpus", "tenant", "corpus_id"),
)

# Tokens per minute, by price band: long-context requests have a limit of their own.
rate_limits = Table(
    "rate_limits",
    metadata,
    Column("engine", String(60), primary_key=True),
    Column("model", String(100), primary_key=True),
    Column("band", String(10), primary_key=True),
    Column("limit_tokens", BigInteger, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

# Questions that are answered within a day at half the price.
batches = Table(
    "batches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False, index=True),
    Column("corpus_id", String(40), nullable=False),
    Column("engine", String(60), nullable=False),
    Column("model", String(100), nullable=False),
    Column("status", String(20), nullable=False, index=True),
    Column("cancel_requested", Boolean, nullable=False),
    Column("expected_usd", Exact),
    Column("most_lines", Integer),
    Column("error", JSON),
    Column("idempotency_key", String(200)),
    Column("request_sha256", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("finished_at", Moment),
    UniqueConstraint("tenant", "idempotency_key"),
)

# A batch of the provider's, over one uploaded file.
batch_files = Table(
    "batch_files",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("input_id", String(200)),
    Column("provider_id", String(200)),
    Column("provider_status", String(40)),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("output_sha256", String(64)),
    Column("errors_sha256", String(64)),
    Column("unknown", Integer, nullable=False),
    Column("error", JSON),
    Column("sent_at", Moment),
    Column("expires_at", Moment),
)

# Which call stands where in which file.
batch_lines = Table(
    "batch_lines",
    metadata,
    Column("file_id", ForeignKey("batch_files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("call_id", ForeignKey("calls.id"), nullable=False, index=True),
)
