"""One file per thing a user can do; each owns its transactions."""
