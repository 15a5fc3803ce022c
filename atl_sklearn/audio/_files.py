"""Audio files: opened, checked for damage, and read from any place."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from atl_sklearn.audio._bad_audio import MISSING, UnusableClipError
from atl_sklearn.audio._bytes import FileBytes, PartOfFile
from atl_sklearn.audio._decoded_file import DecodedFile
from atl_sklearn.audio._formats import HEAD, foreign_format
from atl_sklearn.audio._joined import JoinedFile, Readable
from atl_sklearn.audio._lengths import LENGTHS, OfFiles, Signature, signature_of
from atl_sklearn.audio._pieces import STREAMED, Piece, find_pieces
from atl_sklearn.audio._sound_file import AudioFile

if TYPE_CHECKING:
    import soundfile

# libsndfile's log tells a file that is shorter than its header says. A rounding byte and the
# huge sizes that streaming programs write are no damage.
_SHORTER = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_ENDED_EARLY = re.compile(
    "File ended unexpectedly|Seems to be a truncated file|lacks an end-of-stream bit|"
    "Junk after the last page"
)


_POINTER = b"version https://git-lfs"
_PIECES: OfFiles[list[Piece]] = OfFiles()


@contextmanager
def open_audio(source: str | bytes, *, until: float | None = None) -> Iterator[Readable]:
    """Open an audio file; whatever goes wrong with it is an UnusableClipError.

    Parameters
    ----------
    source : str or bytes
        Path of any file that libsndfile reads, wav, flac, ogg, mp3 and others; or its content.
    until : float or None, default=None
        Where in it, in seconds, nothing more will be asked for; None for its end. It saves
        searching long files for recordings that follow.

    Yields
    ------
    file : Readable
        The file, as complete as can be told without decoding it.
    """
    import soundfile

    signature = None
    if isinstance(source, str):
        _check_path(source)
        signature = signature_of(source)
    elif not source:
        raise UnusableClipError("it is empty: 0 bytes")
    try:
        with ExitStack() as stack:
            file: BinaryIO = io.BytesIO(b"" if isinstance(source, str) else source)
            if isinstance(source, str):
                file = stack.enter_context(open(source, "rb"))
            head = file.read(HEAD)
            if head.startswith(_POINTER):
                raise UnusableClipError(
                    "it is a pointer of Git LFS, not the recording; 'git lfs pull' fetches it"
                )
            kind = foreign_format(head)
            if kind is not None:
                known = LENGTHS.get(source, signature) if isinstance(source, str) else None
                decoded = stack.enter_context(
                    closing(DecodedFile(file, kind, None if known is None else known[0]))
                )
                yield decoded
                _remember(source, signature, [decoded])
                return
            parts: list[AudioFile] = []
            if until is not None:
                # What follows may be what is asked for, or what libsndfile stumbles over.
                with suppress(soundfile.SoundFileError, UnusableClipError):
                    parts = _open_parts(stack, file, source, signature, scan=False)
            n_frames = parts[0].n_frames if parts else None
            if until is None or n_frames is None or n_frames + 1 < until * parts[0].rate:
                parts = _open_parts(stack, file, source, signature, scan=True)
            opened: Readable = parts[0] if len(parts) == 1 else JoinedFile(parts)
            yield opened
            _remember(source, signature, parts)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError, OverflowError) as error:
        detail = getattr(error, "error_string", None) or str(error)
        raise UnusableClipError(
            f"it is damaged, or not audio that libsndfile reads ({detail.strip(' .')})"
        ) from error


def _open_parts(
    stack: ExitStack,
    file: BinaryIO,
    source: str | bytes,
    signature: Signature | None,
    *,
    scan: bool,
) -> list[AudioFile]:
    data = FileBytes(file)
    path = source if isinstance(source, str) else None
    pieces = None if path is None else _PIECES.get(path, signature)
    if pieces is None:
        pieces = find_pieces(data, scan=scan)
        if path is not None and scan:
            _PIECES.keep(path, signature, pieces)
    known = None if path is None else LENGTHS.get(path, signature)
    lengths: Sequence[int | None] = [None] * len(pieces)
    if known is not None and len(known) == len(pieces):
        lengths = known
    if pieces != [Piece(0, data.size)]:
        path = None
    parts = []
    for piece, length in zip(pieces, lengths, strict=True):
        parts.append(_open_part(stack, file, path, piece, length))
    return parts


def _open_part(
    stack: ExitStack, file: BinaryIO, path: str | None, piece: Piece, length: int | None
) -> AudioFile:
    def open_it() -> soundfile.SoundFile:
        import soundfile

        if path is not None:
            # Names need not be UTF-8; on Windows they are text.
            taken: str | bytes | PartOfFile = path if os.name == "nt" else os.fsencode(path)
        else:
            taken = PartOfFile(
                file, piece.start, piece.stop, piece.head, stretched=piece.counted and is_mp3_part
            )
        return stack.enter_context(soundfile.SoundFile(taken))

    # Of others libsndfile reads on without an estimate.
    is_mp3_part = FileBytes(file).at(piece.start, 4) != b"fLaC"
    opened = open_it()
    _check_log(opened)
    if opened.samplerate < 1 or opened.channels < 1:
        raise UnusableClipError(f"it has {opened.channels} channels at {opened.samplerate} Hz")
    part = AudioFile(opened, open_it, counted=piece.counted, n_frames=length)
    part.check_end()
    return part


def _remember(
    source: str | bytes, signature: Signature | None, parts: Sequence[AudioFile | DecodedFile]
) -> None:
    lengths = [part.n_frames for part in parts]
    if isinstance(source, str) and any(part.was_counted for part in parts):
        counted = tuple(length for length in lengths if length is not None)
        if len(counted) == len(lengths):
            LENGTHS.keep(source, signature, counted)


def _check_path(path: str) -> None:
    if not os.path.exists(path):
        raise UnusableClipError(_why_missing(path))
    if os.path.isdir(path):
        raise UnusableClipError("it is a folder, not a file")
    if not os.path.isfile(path):
        raise UnusableClipError("it is no regular file")
    if not os.access(path, os.R_OK):
        raise UnusableClipError("you have no permission to read it")
    if os.path.getsize(path) == 0:
        raise UnusableClipError("it is an empty file")


def _why_missing(path: str) -> str:
    """Return what is said of a path where nothing is."""
    if re.search(r"(?:^|[/\\])[a-z][a-z0-9+.-]*://", path, re.IGNORECASE):
        return (
            "it is an address, not a path: download it first; or open it, with fsspec.open for "
            "example, and pass the open file or its content"
        )
    folder = os.path.dirname(path)
    while folder and folder != os.path.dirname(folder):
        if os.path.isfile(folder):
            return (
                f"{folder!r} is a file, not a folder; unpack it, or pass what is in it as "
                "zipfile.Path(archive, name)"
            )
        folder = os.path.dirname(folder)
    return MISSING


def _check_log(file: soundfile.SoundFile) -> None:
    log = file.extra_info
    for declared, actual in _SHORTER.findall(log):
        if int(actual) + 1 < int(declared) < STREAMED:
            raise UnusableClipError(
                f"it is truncated: {actual} of {declared} bytes of samples are there"
            )
    if _ENDED_EARLY.search(log):
        raise UnusableClipError("it is truncated")
