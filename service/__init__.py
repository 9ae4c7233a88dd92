"""Long-context document Q&A: whole documents in, the price first, answers that can be checked."""
