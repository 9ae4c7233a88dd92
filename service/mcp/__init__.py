"""The face for AI assistants: corpora, prices, answers and pages as tools of the Model Context Protocol."""
