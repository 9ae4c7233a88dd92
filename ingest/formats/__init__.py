"""One module a format family, each the only importer of its library."""
