"""What OpenAI's clients may say in a chat completion: honoured, a hint, or refused by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from service.api.openai_errors import Unfit
from service.api.response_formats import checked_format
from service.api.schemas import AnswerRequest
from service.domain.dialogue import Folded, Speaker, Turn, fold
from service.domain.questions import MAX_QUESTION_CHARS
from service.domain.vision import Detail
from service.errors import Invalid
from service.usecases.take_images import Said

MAX_MESSAGES = 10_000
MAX_FILES = 10_000

_HINTS = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "user",
    }
)
"""Of no effect on the reply by OpenAI's own contract. The cache is kept warm by the corpus itself."""

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "parallel_tool_calls": (True, False),
    "prediction": (),
    "store": (False,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "web_search_options": (),
}
"""Parameters of OpenAI's that are not honoured, with the values that ask for nothing."""

_SAID_IN_MESSAGES = ("question", "questions", "system_prompt")
_SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


class FileReference(BaseModel):
    """A file named in a message."""

    file_id: str | None = None

    @model_validator(mode="after")
    def _is_uploaded(self) -> FileReference:
        if self.file_id is None:
            raise ValueError(
                "files inside a message are not taken: upload it at /v1/files, and name its file_id"
            )
        return self


class ImageReference(BaseModel):
    """A picture in a message: an address, which only the provider fetches, or a data URI."""

    model_config = ConfigDict(extra="forbid")

    url: str
    detail: Detail | None = None


class ContentPart(BaseModel):
    """A piece of a message: text, a picture, or a file that was uploaded before."""

    type: str
    text: str | None = None
    refusal: str | None = None
    file: FileReference | None = None
    image_url: ImageReference | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> ContentPart:
        if self.type not in {"text", "refusal", "file", "image_url"}:
            raise ValueError(f"parts of type {self.type} can't be asked here; text, image_url and file can")
        if getattr(self, self.type) is None:
            raise ValueError(f"a part of type {self.type} needs its {self.type}")
        return self


class ChatMessage(BaseModel):
    """One message of the conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: list[ContentPart] = Field(default=[], max_length=MAX_FILES)
    name: str | None = None
    refusal: str | None = None
    annotations: Any = None
    audio: None = None
    function_call: None = None
    tool_calls: list[Any] | None = Field(default=None, max_length=0)

    @field_validator("content", mode="before")
    @classmethod
    def _in_parts(cls, value: object) -> object:
        if isinstance(value, str):
            return [{"type": "text", "text": value}]
        return [] if value is None else value

    @model_validator(mode="after")
    def _shows_as_the_user(self) -> ChatMessage:
        if self.role != "user" and any(part.image_url for part in self.content):
            raise ValueError("only a user's message can hold pictures")
        return self

    @property
    def turn(self) -> Turn:
        """The message in the domain's words."""
        texts = [part.text or part.refusal or "" for part in self.content if part.type in {"text", "refusal"}]
        return Turn(
            _SPEAKERS[self.role], "\n".join([*texts, *([self.refusal] if self.refusal else [])]), self.name
        )


class StreamOptions(BaseModel):
    """What a stream brings beside the text."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class ChatRequest(AnswerRequest):
    """A chat completion over a corpus; beside OpenAI's parameters it takes those of an answer.

    `corpus_id` may stand behind the model too: `gpt-5.5@cor_…`. `file_ids` are files that were uploaded: of
    the corpus, or without one all that is asked.
    """

    model: str = Field(min_length=1)
    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    corpus_id: str | None = None
    file_ids: list[str] = Field(default=[], max_length=MAX_FILES)
    stream_options: StreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_honoured(cls, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        if not isinstance(value, dict):
            return value
        said = {name: one for name, one in value.items() if one is not None and name not in _HINTS}
        for name in [name for name in _NEUTRAL if name in said]:
            asked = said.pop(name)
            if not any(_is_same(asked, neutral) for neutral in _NEUTRAL[name]):
                raise _refusal(name, f"{name} is not supported here: leave it out")
        for name in _SAID_IN_MESSAGES:
            if name in said:
                raise _refusal(name, f"{name} is said in messages here")
        return _with_output_limit(said)

    @model_validator(mode="after")
    def _fits_together(self) -> ChatRequest:
        if not self.wait:
            raise _refusal("wait", "wait is not supported here: ask for a stream, or at /v1/corpora")
        if self.stream_options and not self.stream:
            raise _refusal("stream_options", "stream_options is only allowed when stream is enabled")
        if self.file_ids_named and self.document_ids:
            raise _refusal("document_ids", "name file_ids or document_ids, not both")
        return self

    @field_validator("response_format")
    @classmethod
    def _is_a_format(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        form = checked_format(value or {})
        return None if form is None or form["type"] == "text" else form

    @property
    def file_ids_named(self) -> list[str]:
        """The files that are asked: those of the body, then those in the messages."""
        parts = [part for message in self.messages for part in message.content]
        return [*self.file_ids, *(part.file.file_id for part in parts if part.file and part.file.file_id)]

    @property
    def pictures(self) -> tuple[Said, ...]:
        """Those of the body, then those in the messages, in order; a detail that is not said is `auto`."""
        usual = self.image_detail if "image_detail" in self.model_fields_set else "auto"
        parts = [part.image_url for message in self.messages for part in message.content if part.image_url]
        named = tuple(Said(uri, self.image_detail) for uri in self.image_urls)
        return (*named, *(Said(one.url, one.detail or usual) for one in parts))

    def as_answer_request(self, *, model: str, document_ids: Sequence[str]) -> AnswerRequest:
        """Return the same in the product's own words.

        Args:
            model: without a corpus behind it.
            document_ids: to ask of the corpus; all of it where there are none.

        Raises:
            Unfit: the messages ask nothing, or too much.
        """
        if self.plan_id is not None:
            named = {
                "plan_id",
                "allow_long_context",
                "max_cost_usd",
                "stream",
                "citations",
            } & self.model_fields_set
            return AnswerRequest(**{name: getattr(self, name) for name in named})
        folded = self.folded()
        known = self.model_fields_set & AnswerRequest.model_fields.keys()
        values = {name: getattr(self, name) for name in known}
        values |= {"question": folded.question, "system_prompt": folded.instructions, "model": model}
        return AnswerRequest(**{**values, "document_ids": list(document_ids) or self.document_ids})

    def folded(self) -> Folded:
        """Return the conversation as a question and its instructions.

        Raises:
            Unfit: it asks nothing, or is too long.
        """
        try:
            folded = fold([message.turn for message in self.messages])
        except Invalid as error:
            raise Unfit(error.detail, param="messages") from error
        longest = max(len(folded.question), len(folded.instructions or ""))
        if longest > MAX_QUESTION_CHARS:
            raise Unfit(
                f"The question, and what stands before it in the messages, may each hold "
                f"{MAX_QUESTION_CHARS:,} characters, not {longest:,}: upload long texts as documents.",
                param="messages",
            )
        return folded


def split_model(name: str) -> tuple[str, str | None]:
    """Return a model's name and the corpus behind it: `gpt-5.5@cor_…`."""
    model, _, corpus_id = name.rpartition("@")
    return (model, corpus_id) if model and corpus_id.startswith("cor_") else (name, None)


def _with_output_limit(said: dict[str, Any]) -> dict[str, Any]:
    """Take OpenAI's older name of the output limit for the newer one."""
    limit = said.pop("max_tokens", None)
    if limit is None:
        return said
    if said.setdefault("max_completion_tokens", limit) != limit:
        raise _refusal("max_tokens", "max_tokens and max_completion_tokens mean the same: name one")
    return said


def _is_same(value: object, neutral: object) -> bool:
    return value == neutral and isinstance(value, bool) is isinstance(neutral, bool)


def _refusal(param: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{message}", {"param": param, "message": message})
