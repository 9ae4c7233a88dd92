"""Answers as files: all that a colleague needs to read them and to check them, and nothing that acts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support import pdfs, pictures
from tests.support.server import WAIT_S, Server
from tests.support.upstream import Upstream, slow, status

SENTENCE = "The harbour opened in 1871."
EVIL = (
    "<script>alert(1)</script> ![x](https://evil.test) [y](javascript:z) `code` | pipe\n# Forged\n| a |\n|-|"
)
RENDERER = MarkdownIt("gfm-like", {"linkify": False, "html": True})


@contextmanager
def saying(upstream: Upstream, text: str) -> Iterator[None]:
    usual, upstream.answer = upstream.answer, lambda _: text
    try:
        yield
    finally:
        upstream.answer = usual


def exported(server: Server, answer_id: str, form: str = "md") -> httpx.Response:
    response = server.client.get(f"/v1/answers/{answer_id}/export", params={"format": form})
    assert response.status_code == 200, response.text
    return response


def asked(server: Server, upstream: Upstream, text: str, corpus: str, question: str = "When?") -> str:
    with saying(upstream, text):
        return str(server.ask(corpus, question=question).json()["id"])


def section(markdown: str, title: str) -> str:
    return markdown.partition(f"## {title}\n")[2].partition("\n## ")[0].strip()


def tokens(markdown: str) -> list[Token]:
    return [token for one in RENDERER.parse(markdown) for token in (one, *(one.children or ()))]


def test_an_answer_is_a_file_with_its_sources(
    server: Server, corpus: str, harbour: str, upstream: Upstream
) -> None:
    text = (
        f'First "{SENTENCE}" [D1 p.1], later "closed again in 1912" [D1 p.1].\n\nAgain "{SENTENCE}" [D1 p.1].'
    )
    answer_id = asked(server, upstream, text, corpus, "When did it open — and close?")
    response = exported(server, answer_id)
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    found = re.fullmatch(
        r'attachment; filename="(ans_[0-9a-f]+\.md)"; filename\*=UTF-8\'\'(\S+)',
        response.headers["content-disposition"],
    )
    assert found is not None
    assert found[1] == f"{answer_id}.md"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-when-did-it-open-and-close\.md", unquote(found[2]))
    markdown = response.text
    assert section(markdown, "Question") == "> When did it open — and close?"
    answer = section(markdown, "Answer").split("\n\n")
    assert re.findall(r"\\\[(\d)\\\]", answer[0]) == ["1", "2"]
    assert re.findall(r"\\\[(\d)\\\]", answer[1]) == ["1"], (
        "the same words from the same place share a number"
    )
    references = section(markdown, "References")
    assert references.count("**harbour.txt**, page 1: stands in the source word for word.") == 2
    assert "> closed again in 1912" in references
    document = server.client.get(f"/v1/documents/{harbour}").json()
    read = section(markdown, "What was read")
    assert f"| D1 | harbour.txt | 1 | {document['tokens']:,} | `{document['sha256']}` |" in read
    assert section(markdown, "What was left out") == "Nothing."
    facts = section(markdown, "Model and price")
    told = server.client.get(f"/v1/answers/{answer_id}").json()
    (billed,) = upstream.invoice
    for fact in (
        "Model: gpt-5.5, by openai",
        f"Price: \\${told['cost']['actual_usd']}",
        f"Estimated before: \\${told['cost']['estimated_usd']}, at most \\${told['cost']['max_usd']}",
        f"{billed.prompt_tokens:,} in ({billed.cached_tokens:,} of them cached)",
        f"{billed.completion_tokens:,} out ({billed.reasoning_tokens:,} of them reasoning)",
        f"Asked: {told['created_at'][:10]}",
        told["prefix_sha256"],
        "Corpus: Tests",
    ):
        assert fact in facts


def test_json_holds_what_it_takes_to_check_it(
    server: Server, corpus: str, harbour: str, upstream: Upstream
) -> None:
    answer_id = asked(server, upstream, f'"{SENTENCE}" [D1 p.1]', corpus)
    response = exported(server, answer_id, "json")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-disposition"].endswith(".json")
    whole = response.json()
    answer = server.client.get(f"/v1/answers/{answer_id}").json()
    (citation,) = whole["citations"]
    document = server.client.get(f"/v1/documents/{harbour}").json()
    assert {name: whole[name] for name in answer if name != "citations"} == {
        name: value for name, value in answer.items() if name != "citations"
    }
    assert citation == {
        **answer["citations"][0],
        "document": {
            "document_id": harbour,
            "filename": "harbour.txt",
            "sha256": document["sha256"],
            "page": 1,
            "label": None,
        },
    }
    receipt = server.client.get(f"/v1/plans/{answer['plan_id']}/pages").json()["data"]
    assert whole["packed_pages"] == receipt
    (read,) = whole["documents"]
    assert (read["sha256"], read["number"], read["source_gone"]) == (document["sha256"], "D1", False)
    assert whole["plan"]["price_catalog"]["sha256"]


def test_what_could_not_be_confirmed_is_plain_to_see(server: Server, corpus: str, upstream: Upstream) -> None:
    text = (
        '"The harbour opened in 1872." [D1 p.1] "It was painted green all over" [D1 p.1]'
        '\n\nNo words [D1 p.1]\n\n"Of no document" [D9 p.1]\n\n"The harbour opened in 1871." [D1 p.7]'
    )
    markdown = exported(server, asked(server, upstream, text, corpus)).text
    assert "**4 of 5 citations could not be confirmed: see the references.**" in section(markdown, "Answer")
    altered, missing, unquoted, unknown, elsewhere = re.split(
        r"\n\n(?=\\\[\d\\\])", section(markdown, "References")
    )
    assert "**ALTERED: the source says something else**" in altered
    answers, _, source = altered.partition("The source says:")
    assert ("> The harbour opened in 1872." in answers, "> The harbour opened in 1871" in source) == (
        True,
        True,
    )
    assert "**NOT FOUND in anything that was read**" in missing
    assert "> It was painted green all over" in missing
    assert "**NOT CHECKED: the answer quotes no words here**" in unquoted
    assert "\\[D9 p.1\\], a document that was not asked" in unknown
    assert "stands in the source, but not where the answer says" in elsewhere
    assert "The source says (harbour.txt, page 1):" in elsewhere


def test_hostile_words_do_nothing(server: Server, upstream: Upstream) -> None:
    name = "a|b<img src=x>`c` [d](http://evil.test) #e.txt"
    document = server.add(name, f"{EVIL}\n{SENTENCE}\n".encode())
    corpus = server.corpus(document["id"], name=EVIL)
    said = f'[1](https://evil.test) "{SENTENCE}" [D1 p.1](https://evil.test) www.evil.test'
    text = f"{EVIL}\n\n## References\n\n{said}"
    markdown = exported(server, asked(server, upstream, text, corpus, f"{EVIL}\n\n---\n## Answer")).text
    kinds = {token.type for token in tokens(markdown)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "fence", "code_block"}
    headings = [
        inside.content
        for token, inside in zip(RENDERER.parse(markdown), RENDERER.parse(markdown)[1:], strict=False)
        if token.type == "heading_open"
    ]
    assert headings == [
        "Answer",
        "Question",
        "Answer",
        "References",
        "What was read",
        "What was left out",
        "Model and price",
    ]
    code = [token.content for token in tokens(markdown) if token.type == "code_inline"]
    assert code == [document["sha256"]]
    assert sum(token.type == "table_open" for token in tokens(markdown)) == 1
    assert "https://" not in markdown
    assert "www.evil" not in markdown


def test_the_words_of_a_deleted_document_are_kept(server: Server, upstream: Upstream) -> None:
    kept = server.add("kept.txt", b"Ships were counted every day.")
    gone = server.add("gone.txt", b"Soon it will be gone.")
    corpus = server.corpus(gone["id"], kept["id"])
    answer_id = asked(server, upstream, '"Soon it will be gone." [D1 p.1]', corpus)
    assert "deleted" not in exported(server, answer_id).text
    server.client.delete(f"/v1/documents/{gone['id']}")
    markdown = exported(server, answer_id).text
    references = section(markdown, "References")
    assert "**gone.txt**, page 1: stands in the source word for word." in references
    assert "> Soon it will be gone" in references
    assert "The source has been deleted since" in references
    assert re.search(r"\| D1 \| gone\.txt \| 1 \| \d+ \| the source is gone \|", markdown)
    whole = exported(server, answer_id, "json").json()
    assert [one["source_gone"] for one in whole["documents"]] == [True, False]
    assert whole["citations"][0]["document"]["sha256"] is None
    assert [(one["document_id"], one["page"]) for one in whole["packed_pages"]] == [
        (gone["id"], None),
        (kept["id"], 1),
    ]
    receipt = server.client.get(f"/v1/plans/{whole['plan_id']}/pages").json()["data"]
    assert receipt == whole["packed_pages"]
    assert (receipt[0]["page_runs"], receipt[0]["source_gone"]) == ([[1, 1]], True)


def test_what_was_left_out_is_named_with_the_reason(server: Server, upstream: Upstream) -> None:
    first = server.add("first.txt", b"The harbour opened in 1871.\nShips came soon.")
    twice = server.add("twice.txt", b"The harbour opened in 1871.\r\nShips came soon.\r\n")
    other = server.add("other.txt", b"Of something else.")
    corpus = server.corpus(first["id"], twice["id"], other["id"])
    both = [first["id"], twice["id"]]
    with saying(upstream, "Nothing."):
        answer = server.ask(corpus, question="When?", document_ids=both, leave_out=["duplicates"])
    answer_id = answer.json()["id"]
    lines = section(exported(server, answer_id).text, "What was left out").splitlines()
    assert "- other.txt: not among the documents that were asked." in lines
    assert any(line.startswith("- twice.txt: ") and "first.txt" in line for line in lines)
    assert section(exported(server, answer_id).text, "References") == "The answer cites nothing."


def test_a_page_is_called_by_its_label_too(server: Server, upstream: Upstream, tmp_path: Path) -> None:
    document = server.add("labels.pdf", pdfs.labelled_pdf(tmp_path / "a.pdf", 5).read_bytes())
    corpus = server.corpus(document["id"])
    markdown = exported(server, asked(server, upstream, "No words. [D1 p.2]", corpus)).text
    assert "**labels.pdf**, page 2 (labelled ii)" in markdown
    assert "| D1 | labels.pdf | 5: 1-5 |" in markdown


def test_a_split_answer_names_each_document_once(
    server: Server, large: list[str], upstream: Upstream
) -> None:
    answer_id = server.ask(server.corpus(*large), question="When?", strategy="split").json()["id"]
    read = section(exported(server, answer_id).text, "What was read")
    assert re.findall(r"^\| (D\d) ", read, re.MULTILINE) == ["D1", "D2", "D3", "D4", "D5"]
    whole = exported(server, answer_id, "json").json()
    pages = [server.client.get(f"/v1/documents/{name}").json()["pages"] for name in large]
    assert [one["pages_read"] for one in whole["documents"]] == pages
    assert len(whole["packed_pages"]) == sum(pages)
    assert len(upstream.requests) > 2


def test_a_ranked_answer_names_the_pages_it_read_and_those_it_did_not(
    server: Server, large: list[str], upstream: Upstream
) -> None:
    corpus = server.corpus(*large)
    body = {"question": "What of Record 3-17?", "strategy": "ranked", "budget_tokens": 40_000}
    deadline = time.monotonic() + WAIT_S
    while (answer := server.client.post(f"/v1/corpora/{corpus}/answers", json=body)).status_code != 201:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)  # the page index is being built
    answer_id = answer.json()["id"]
    whole = exported(server, answer_id, "json").json()
    read = [(one["document_id"], one["page"]) for one in whole["packed_pages"]]
    pages = {name: server.client.get(f"/v1/documents/{name}").json()["pages"] for name in large}
    assert 0 < len(read) < sum(pages.values())
    assert sum(one["pages_read"] for one in whole["documents"]) == len(read)
    left = section(exported(server, answer_id).text, "What was left out")
    assert "other pages match the question better" in left
    assert upstream.requests


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("md", "**This answer is not whole: failed.**"),
        ("json", '"status": "failed"'),
    ],
)
def test_an_answer_that_failed_says_so(
    server: Server, corpus: str, upstream: Upstream, form: str, said: str
) -> None:
    upstream.script.append(status(401, code="invalid_api_key"))
    answer_id = server.ask(corpus, question="When?").json()["answer"]["id"]
    assert said in exported(server, answer_id, form).text


def test_an_answer_under_way_is_not_exported_yet(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(slow(0.6, 0.0))
    answer_id = server.ask(corpus, question="When?", wait=False).json()["id"]
    refused = server.client.get(f"/v1/answers/{answer_id}/export")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    server.finished(answer_id)
    exported(server, answer_id)


def test_what_can_not_be_exported_is_refused(server: Server, corpus: str, upstream: Upstream) -> None:
    assert server.client.get("/v1/answers/ans_0/export").status_code == 404
    answer_id = asked(server, upstream, "Yes.", corpus)
    refused = server.client.get(f"/v1/answers/{answer_id}/export", params={"format": "exe"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_a_question_in_any_script_names_its_file(server: Server, corpus: str, upstream: Upstream) -> None:
    answer_id = asked(server, upstream, "Yes.", corpus, '港は"いつ"\r\n開きましたか; x=\\')
    header = exported(server, answer_id).headers["content-disposition"]
    assert header.isascii()
    assert unquote(header.partition("UTF-8''")[2])[10:] == "-港は-いつ-開きましたか-x.md"


def test_an_export_holds_after_the_plan_is_over(server: Server, corpus: str, upstream: Upstream) -> None:
    answer_id = asked(server, upstream, f'"{SENTENCE}" [D1 p.1]', corpus)
    before = exported(server, answer_id, "json").json()
    with server.later(timedelta(days=30)):
        after = exported(server, answer_id, "json").json()
    assert before.pop("exported_at") < after.pop("exported_at")
    assert before == after


def test_a_corpus_may_go_before_its_answers(server: Server, upstream: Upstream) -> None:
    document = server.add("kept.txt", b"Ships were counted every day.")
    corpus = server.corpus(document["id"], name="Soon forgotten")
    with saying(upstream, '"Ships were counted every day." [D1 p.1]'):
        answer = server.ask(
            corpus, question="What was counted?", image_urls=[pictures.data_uri(64, 64)]
        ).json()
    offered = server.plans(corpus, question="And when?")["whole"]
    before = exported(server, answer["id"], "json").json()
    assert server.client.delete(f"/v1/corpora/{corpus}").status_code == 204
    after = exported(server, answer["id"], "json").json()
    assert (after["corpus"], before["corpus"]) == (None, "Soon forgotten")
    for name in ("packed_pages", "documents", "citations", "plan"):
        assert after[name] == before[name]
    assert "# " in exported(server, answer["id"]).text
    receipt = server.client.get(f"/v1/plans/{answer['plan_id']}/pages").json()
    assert receipt["data"] == before["packed_pages"]
    assert len(receipt["question_images"]) == 1
    assert server.client.get(f"/v1/plans/{offered['id']}").status_code == 404
    for plan, status_code in ((offered["id"], 404), (answer["plan_id"], 409)):
        refused = server.ask(corpus, plan_id=plan)
        assert (refused.status_code, "There is no" in refused.json()["detail"]) == (status_code, True)
