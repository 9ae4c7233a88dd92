"""How much one document may take before its reading is given up."""

from __future__ import annotations

from dataclasses import dataclass

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one reading. Real documents stay far below; hostile ones end here.

    A large document is read by as many processes as there are processors; what is said of the reading process
    holds for each of them.

    Attributes:
        memory_bytes: address space of the reading process (RLIMIT_AS), its libraries included.
        cpu_seconds: processor time of the reading process (RLIMIT_CPU).
        silent_seconds: time that the caller waits for the next page.
        first_seconds: the same until the first page has come, where that is less.
        wall_seconds: time that the caller waits for pages in all; time spent on using them does not count.
        page_seconds: processor time for recognising one scanned page.
        scan_seconds: time after the beginning up to which scanned pages are recognised; it does not count as
            waiting. Later ones stay without text.
        max_pages: pages or sections of one document.
        max_page_chars: characters of one page, before cleaning and after it.
        max_chars: characters of all pages, before cleaning and after it.
        max_files: files inside one archive or mail.
        max_files_bytes: size of all of them, unpacked.
        written_bytes: size of any file that the reading process may write (RLIMIT_FSIZE).
        open_files: descriptors of the reading process (RLIMIT_NOFILE).
    """

    memory_bytes: int = _GIB
    cpu_seconds: int = 600
    silent_seconds: float = 20.0
    first_seconds: float = 20.0
    wall_seconds: float = 900.0
    page_seconds: int = 30
    scan_seconds: float = 10_800.0
    max_pages: int = 200_000
    max_page_chars: int = 4_000_000
    max_chars: int = 400_000_000
    max_files: int = 10_000
    max_files_bytes: int = 4 * _GIB
    written_bytes: int = 0
    open_files: int = 128
