"""Bytes in, pages of text and exact token counts out. No database, no HTTP, no settings."""
