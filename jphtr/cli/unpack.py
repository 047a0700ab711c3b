"""`jphtr unpack-etl`, `unpack-kuzushiji` and `unpack-folder`: archives and pictures of characters -> one glyph file."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from jphtr.cli import complain
from jphtr.errors import DataError, SettingsError

if TYPE_CHECKING:
    from jphtr.records import GlyphBlock
    from jphtr.sources.folder import Ink
    from jphtr.sources.normalise import Normalisation
    from jphtr.store import Input, Source

Digest = tuple[str, int, str]  # of an input: its name, its bytes and their sha256

_FILE = click.Path(path_type=Path)
_ETL = (
    "Electrotechnical Laboratory, Japanese Technical Committee for Optical Character Recognition, "
    "ETL Character Database, 1973-1984"
)


def _looks(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands have."""
    for option in reversed((
        click.option("-o", "--output", required=True, type=_FILE, help="The glyph file to write, such as glyphs.h5."),
        click.option("--size", default="64", show_default=True, metavar="PIXELS|native",
                     help="Side of the square that scans are placed in; native keeps them as they are."),
        click.option("--level", type=click.Choice(["none", "background"]), default="none", show_default=True,
                     help="background makes the paper of every scan white."),
        click.option("--stretch", is_flag=True, help="Stretch the grays of every scan to the whole range."),
        click.option("--centre", type=click.Choice(["none", "box", "mass"]), default="none", show_default=True,
                     help="Move the ink's box or centre of mass to the middle."),
        click.option("--margin", type=click.IntRange(0), default=0, show_default=True, help="Pixels of paper around."),
        click.option("--random-split", type=int, metavar="SEED",
                     help="Split glyph by glyph instead of by writer: for comparison with scores made so."),
        click.option("--append", is_flag=True, help="Add to the glyph file instead of replacing it."),
        click.option("--raw", is_flag=True, help="Store pixels uncompressed: faster to write, five times as large."),
        click.option("--keep-going", is_flag=True, help="Leave out files that cannot be read; the exit code is then 1."),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command("unpack-etl")
@click.argument("paths", metavar="PATHS...", nargs=-1, required=True, type=_FILE)
@click.option("--only", metavar="SETS", help="Take these sets, such as ETL1,ETL8G.")
@click.option("--models", is_flag=True, help="Take the printed model letters of ETL8 and ETL9 too.")
@_looks
def unpack_etl(paths: tuple[Path, ...], output: Path, only: str | None, models: bool, **looks: Any) -> None:
    """Unpack the ETL Character Database: files, folders or zip files of ETL1 to ETL9.

    The database is AIST's: register there for a copy, and give what you make of it to nobody.
    """
    from jphtr.sources import etl

    wanted = _sets(only, tuple(etl.PUBLISHED))
    errors: list[DataError] | None = [] if looks["keep_going"] else None
    found = etl.find(paths, errors=errors)
    job = _Job(output, **looks)
    for error in errors or ():
        job.leave_out(error)
    for line in found.warnings:
        _warn(line)
    files = [file for file in found.files if file.source in wanted]
    if not files:
        raise DataError(f"{', '.join(map(str, paths))}: holds {', '.join(found.sources)} but nothing of {only}")
    for name, count in Counter(file.source for file in files).items():
        records = sum(file.records for file in files if file.source == name)
        click.echo(f"{name}: {count} files, {records:,} records", err=True)
        if missing := found.missing.get(name):
            _warn(f"{name}: not there: {', '.join(missing)}")
    readers = []
    for file in files:

        def read(file: etl.EtlFile = file) -> Iterator[GlyphBlock]:
            for line in etl.check(file):
                _warn(line)
            strange = 0
            for block in etl.read(file, models=models):
                strange += etl.outside(block)
                yield block
            if strange:
                _warn(f"{file}: {strange} records have a code without a character; they are kept with label 0")

        def digests(file: etl.EtlFile = file) -> list[Digest]:
            with etl.opened(file) as stream:
                return [_digest(file.published.name, stream)]

        readers.append(_Reader(str(file), file.published.name, file.source, file.size, file.records, read, digests))
    job.write(readers, dict.fromkeys(found.sources, f"AIST, not to be passed on; cite: {_ETL}"))


@click.command("unpack-kuzushiji")
@click.argument("paths", metavar="PATHS...", nargs=-1, required=True, type=_FILE)
@click.option("--only", metavar="SETS", help="Take these sets, of KMNIST,K49,KKANJI.")
@_looks
def unpack_kuzushiji(paths: tuple[Path, ...], output: Path, only: str | None, **looks: Any) -> None:
    """Unpack KMNIST, Kuzushiji-49 and Kuzushiji-Kanji: IDX, gzipped IDX, npz, tar, or folders of pictures."""
    from jphtr.sources import kuzushiji

    wanted = _sets(only, tuple(dict.fromkeys(name for name, _ in kuzushiji.COUNTS)))
    parts = [part for path in paths for part in kuzushiji.find(path) if part.name in wanted]
    if not parts:
        raise DataError(f"{', '.join(map(str, paths))}: nothing of {', '.join(wanted)}; see datasets/ for their names")
    job = _Job(output, **looks)
    readers = []
    for part in parts:
        label = f"{part.name} {part.split}".strip()
        if part.images is None:
            _warn(f"{part.labels}: {label} lacks {part.missing}; not unpacked")
            continue
        if part.missing:
            job.leave_out(DataError(f"{part.images}: {label} lacks {part.missing}; put it beside"))
            continue
        for copy in part.again:
            _warn(f"{copy}: another copy of {label}, not read")
        click.echo(f"{label}: {part.images}", err=True)

        def read(part: kuzushiji.Part = part, label: str = label) -> Iterator[GlyphBlock]:
            count = 0
            for block in kuzushiji.read(part):
                count += len(block)
                yield block
            published = kuzushiji.COUNTS[part.name, part.split]
            if count != published:
                _warn(f"{part.images}: {count:,} pictures where {label} has {published:,}")

        files = [path for path in (part.images, part.labels) if path is not None and path.is_file()]
        size = sum(path.stat().st_size for path in files)
        count = kuzushiji.COUNTS[part.name, part.split]

        def digests(files: list[Path] = files) -> list[Digest]:
            return [_digest_of_file(path) for path in files]

        readers.append(_Reader(str(part.images), label, part.name, size, count, read, digests))
    if not readers and not job.left_out:
        raise DataError(f"{', '.join(map(str, paths))}: labels without pictures; put the pictures beside them")
    job.write(readers, dict.fromkeys(wanted, f"{kuzushiji.LICENCE}; cite: {kuzushiji.CITATION}"))


@click.command("unpack-folder")
@click.argument("paths", metavar="PATHS...", nargs=-1, required=True, type=_FILE)
@click.option("--name", help="What to call the data set; by default the name of the folder or list.")
@click.option("--licence", default="", help="Licence and citation, kept in the file.")
@click.option("--ink", type=click.Choice(["auto", "dark", "bright"]), default="auto", show_default=True,
              help="bright is ink lighter than its ground, which is turned; auto looks at each picture.")  # fmt: skip
@_looks
def unpack_folder(
    paths: tuple[Path, ...], output: Path, name: str | None, licence: str, ink: Ink, **looks: Any
) -> None:
    """Read folders with one folder a character, or lists (path<TAB>character[<TAB>writer]), into a glyph file.

    A folder's name, or the second column of a list, is the character itself, U+XXXX, or 0xXXXX, its JIS X 0208 code.
    """
    from jphtr.sources import folder

    if len(paths) > 255:
        raise DataError(f"{len(paths)} folders and lists; give at most 255, or one list of all pictures")
    job = _Job(output, **looks)
    readers = []
    for number, path in enumerate(paths, 1):
        files = folder.pictures(path)
        click.echo(f"{path}: {len(files):,} files", err=True)
        size = sum(file.stat().st_size for file in files)

        def read(path: Path = path, number: int = number) -> Iterator[GlyphBlock]:
            return folder.blocks(path, source=name, number=number, ink=ink, on_error=job.leave_out)

        def digests(path: Path = path, files: list[Path] = files, size: int = size) -> list[Digest]:
            return [_digest_of_all(path, files)]

        readers.append(_Reader(str(path), path.name, name or folder.name_of(path), size, len(files), read, digests))
    job.write(readers, {reader.source: licence for reader in readers})


@dataclass(frozen=True, slots=True)
class _Reader:
    """One input: how it is called, how large it is, how its glyphs are read, and what its files are."""

    path: str
    name: str
    source: str
    size: int
    glyphs: int  # about
    blocks: Callable[[], Iterable[GlyphBlock]]
    digests: Callable[[], list[Digest]]


@dataclass(slots=True)
class _Job:
    """From readers to a glyph file."""

    output: Path
    size: str
    level: Literal["none", "background"]
    stretch: bool
    centre: Literal["none", "box", "mass"]
    margin: int
    random_split: int | None
    append: bool
    raw: bool
    keep_going: bool
    left_out: int = field(default=0, init=False)

    def leave_out(self, error: DataError) -> None:
        """Say what cannot be read and go on, or end here."""
        if not self.keep_going:
            raise error
        complain(error)
        self.left_out += 1

    def write(self, readers: Sequence[_Reader], licences: dict[str, str]) -> None:
        """Unpack everything, and end with exit code 1 if something was left out."""
        from jphtr.charset import default
        from jphtr.store import open_glyphs, write_blocks

        normalisation = self.normalisation()
        notes = {**normalisation.to_dict(), "split": "writer" if self.random_split is None else "random"}
        sources: list[Source] = []
        inputs: list[Input] = []
        charset = default()
        old = None
        if self.append and self.output.exists():
            old = open_glyphs(self.output)
            if old.normalisation != notes:
                raise DataError(f"{self.output}: was made with {old.normalisation}, not {notes}; write another file")
            if twice := {s.name for s in old.sources} & {r.source for r in readers}:
                raise DataError(
                    f"{self.output}: holds {', '.join(sorted(twice))} already; write it anew without --append"
                )
            sources, inputs, charset = list(old.sources), list(old.inputs), old.charset

        def blocks() -> Iterator[GlyphBlock]:
            if old is not None:
                yield from old.blocks()
            with _progress(readers) as bar:
                for reader in readers:
                    yield from self._blocks(reader, normalisation, bar, sources, inputs, licences)

        try:
            written = write_blocks(
                self.output, blocks(), charset,
                sources=sources, inputs=inputs, normalisation=notes, compress=not self.raw,
            )  # fmt: skip
        finally:
            if old is not None:
                old.close()
        click.echo(
            f"{self.output}: {written.glyphs:,} glyphs of {written.writers:,} writers, digest {written.digest[:12]}",
            err=True,
        )
        if self.left_out:
            raise click.exceptions.Exit(1)

    def normalisation(self) -> Normalisation:
        from jphtr.sources.normalise import Normalisation

        if self.size != "native" and not self.size.isdigit():
            raise SettingsError(f"--size {self.size}: give pixels, such as 64, or native")
        size = None if self.size == "native" else int(self.size)
        return Normalisation(size, self.level, self.stretch, self.centre, self.margin)

    def _blocks(
        self, reader: _Reader, normalisation: Normalisation, bar: Any, sources: list[Source], inputs: list[Input],
        licences: dict[str, str],
    ) -> Iterator[GlyphBlock]:  # fmt: skip
        """The blocks of one input in their final form; one that fails before its first block may be left out."""
        from concurrent.futures import ThreadPoolExecutor

        from jphtr.sources.normalise import Normalisation, apply
        from jphtr.splits import assign
        from jphtr.store import Input, Source

        as_scanned = normalisation == Normalisation(size=None)
        started = False
        with ThreadPoolExecutor(1) as pool:
            try:
                for block in assign(reader.blocks(), seed=self.random_split):
                    if not started:
                        digests = pool.submit(reader.digests)
                        started = True
                    bar.update(len(block), reader)
                    yield block if as_scanned else replace(block, gray=apply(block.gray, normalisation))
            except DataError as error:
                if started:  # half of it is in the file that is being written
                    raise
                self.leave_out(error)
                return
            if started:
                inputs += [Input(*digest) for digest in digests.result()]
                if reader.source not in {one.name for one in sources}:
                    sources.append(Source(reader.source, "", licences[reader.source]))


def _digest(name: str, stream: Any) -> Digest:
    import hashlib

    found, size = hashlib.sha256(), 0
    while piece := stream.read(1 << 20):
        found.update(piece)
        size += len(piece)
    return name, size, found.hexdigest()


def _digest_of_file(path: Path) -> Digest:
    try:
        with open(path, "rb") as stream:
            return _digest(path.name, stream)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path and your rights") from None


def _digest_of_all(root: Path, files: Sequence[Path]) -> Digest:
    """One digest for a tree or a list: that of the lines `sha256sum` would print for its files, in sorted order."""
    import hashlib
    import os

    home, lines, total = root if root.is_dir() else root.parent, [], 0
    for path in files:
        _, size, found = _digest_of_file(path)
        lines.append(f"{found}  {Path(os.path.relpath(path, home)).as_posix()}\n")
        total += size
    lines.sort(key=lambda line: line[66:])
    return f"{root.resolve().name} ({len(lines)} files)", total, hashlib.sha256("".join(lines).encode()).hexdigest()


def _progress(readers: Sequence[_Reader]) -> Any:
    """A bar on stderr while a person is watching; its items are readers, its steps glyphs."""
    began = time.perf_counter()
    total, size = sum(reader.glyphs for reader in readers), sum(reader.size for reader in readers)

    def show(reader: _Reader | None) -> str | None:
        speed = size / 1e6 * bar.pos / max(1, total) / (time.perf_counter() - began)
        return None if reader is None else f"{reader.name}, {speed:.0f} MB/s"

    bar: Any = click.progressbar(length=total, item_show_func=show, file=sys.stderr, show_pos=True)
    return bar


def _sets(only: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if only is None:
        return known
    wanted = tuple(name.strip().upper() for name in only.split(",") if name.strip())
    # ETL8 and ETL9 mean both of their forms
    wanted = tuple(
        full for name in wanted for full in ([k for k in known if k in (name, f"{name}B", f"{name}G")] or [name])
    )
    if strange := [name for name in wanted if name not in known]:
        raise SettingsError(f"--only {only}: no set {strange[0]}; there are {', '.join(known)}")
    return wanted


def _warn(line: str) -> None:
    click.echo(f"jphtr: warning: {line}", err=True)
