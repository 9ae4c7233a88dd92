"""Pure rules: no I/O, no await, no clock of their own, nothing but the standard library."""
