"""Which kind of text a file is by its name: source code, data, settings."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

JSON: Final = "application/json"
XML: Final = "application/xml"
IPYNB: Final = "application/x-ipynb+json"

_SUFFIXES: Final = {
    JSON: ".json .jsonl .ndjson .geojson .jsonld .har .webmanifest",
    XML: ".xml .svg .xsd .xsl .xslt .rss .atom .kml .gpx .wsdl .plist .resx .xliff .xlf .tmx .opml .dtd",
    IPYNB: ".ipynb",
    "text/x-python": ".py .pyi .pyw",
    "text/x-c": ".c .h",
    "text/x-c++": ".cc .cpp .cxx .hh .hpp .hxx",
    "text/x-csharp": ".cs",
    "text/x-java": ".java",
    "text/x-kotlin": ".kt .kts",
    "text/x-scala": ".scala",
    "text/x-groovy": ".groovy .gradle",
    "text/javascript": ".js .mjs .cjs .jsx",
    "text/x-typescript": ".ts .mts .cts .tsx",
    "text/x-vue": ".vue",
    "text/x-svelte": ".svelte",
    "text/css": ".css .scss .sass .less",
    "text/x-go": ".go",
    "text/x-rust": ".rs",
    "text/x-swift": ".swift",
    "text/x-objective-c": ".m .mm",
    "text/x-php": ".php",
    "text/x-ruby": ".rb",
    "text/x-perl": ".pl .pm",
    "text/x-lua": ".lua",
    "text/x-r": ".r",
    "text/x-julia": ".jl",
    "text/x-haskell": ".hs",
    "text/x-elixir": ".ex .exs",
    "text/x-erlang": ".erl",
    "text/x-clojure": ".clj .cljs",
    "text/x-lisp": ".lisp .el .scm",
    "text/x-ocaml": ".ml .mli",
    "text/x-fsharp": ".fs",
    "text/x-dart": ".dart",
    "text/x-fortran": ".f .f90",
    "text/x-cobol": ".cob .cbl",
    "text/x-pascal": ".pas",
    "text/x-assembly": ".asm .s",
    "text/x-sql": ".sql",
    "text/x-shellscript": ".sh .bash .zsh .fish",
    "text/x-powershell": ".ps1 .psm1",
    "text/x-batch": ".bat .cmd",
    "text/x-makefile": ".mk .mak",
    "text/x-cmake": ".cmake",
    "text/x-dockerfile": ".dockerfile",
    "text/x-terraform": ".tf .tfvars .hcl",
    "text/x-protobuf": ".proto",
    "text/x-graphql": ".graphql .gql",
    "text/x-nix": ".nix",
    "text/x-tex": ".tex .sty .cls .bib",
    "text/x-rst": ".rst",
    "text/x-asciidoc": ".adoc .asciidoc",
    "text/x-org": ".org",
    "text/x-diff": ".diff .patch",
    "text/x-log": ".log",
    "application/yaml": ".yaml .yml",
    "application/toml": ".toml",
    "text/x-ini": ".ini .cfg .conf .properties .env .editorconfig",
}
_NAMES: Final = {
    "dockerfile": "text/x-dockerfile",
    "containerfile": "text/x-dockerfile",
    "makefile": "text/x-makefile",
    "gnumakefile": "text/x-makefile",
    "cmakelists.txt": "text/x-cmake",
    "jenkinsfile": "text/x-groovy",
    "gemfile": "text/x-ruby",
    "rakefile": "text/x-ruby",
    "vagrantfile": "text/x-ruby",
    ".env": "text/x-ini",
    ".editorconfig": "text/x-ini",
    ".gitconfig": "text/x-ini",
    ".bashrc": "text/x-shellscript",
    ".zshrc": "text/x-shellscript",
    ".profile": "text/x-shellscript",
}
_BY_SUFFIX: Final = {
    suffix: media_type for media_type, suffixes in _SUFFIXES.items() for suffix in suffixes.split()
}

SOURCES: Final = frozenset({*_SUFFIXES, *_NAMES.values()} - {JSON, XML, IPYNB})
"""The media types of what people write for machines, line by line."""


def kind_of_name(filename: str) -> str | None:
    """Return the media type that the file's name stands for; None where it says nothing."""
    path = PurePath(filename.lower())
    return _NAMES.get(path.name) or _BY_SUFFIX.get(path.suffix)
