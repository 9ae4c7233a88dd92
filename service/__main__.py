"""The command `unabridged`, as `python -m service` too."""

from __future__ import annotations

import gc
import sys

import ingest


def main() -> None:
    """Run the command; what reads documents starts while the command's own libraries load."""
    if sys.argv[1:2] in (["add"], ["ask"]) and "--help" not in sys.argv:
        ingest.warm()
    gc.disable()
    from service import cli  # noqa: PLC0415 - takes a second, which the reading process needs as well

    gc.freeze()  # the libraries stay: looking through them, at the end too, took a third of a short command
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
