"""The web page: what a browser is sent, and how."""
