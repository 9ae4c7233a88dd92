"""The chunks of a stream, whose frame is written once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.openai_replies import Face, chunk, data, text_chunks
from tests.store import rows


@pytest.mark.parametrize("model", ["gpt-5.5", 'a "{"content": ""}" model'], ids=["usual", "hostile"])
@given(texts=st.lists(st.text(st.characters()) | st.just('{"content": ""}')), include_usage=st.booleans())
def test_a_piece_of_text_is_written_as_its_chunk(model: str, texts: list[str], include_usage: bool) -> None:  # noqa: FBT001 - drawn
    answer, face = rows.answer(model=model), Face("http://localhost/", include_usage=include_usage)
    written = text_chunks(answer, face)
    assert [written(text) for text in texts] == [
        data(chunk(answer, {"content": text}, face)) for text in texts
    ]
