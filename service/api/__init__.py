"""The REST face: thin handlers over the use cases."""
