"""Where the recordings in a file begin and end, and whose header tells their length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from atl_sklearn.audio._bad_audio import UnusableClipError
from atl_sklearn.audio._bytes import FileBytes
from atl_sklearn.audio._flac_frames import head_without_length
from atl_sklearn.audio._mp3_frames import find_mp3_pieces, is_mp3

# Sizes from here on are those of programs that do not know them, as they write into a pipe.
STREAMED = 0x7FFF0000
# More than tags and padding; what follows is sound that the header knows nothing of.
_MOST_JUNK = 2**16
MOST_PIECES = 1000


@dataclass(frozen=True)
class Piece:
    """A recording in a file, which usually is all of it.

    Parameters
    ----------
    start, stop : int
        Its first byte, and the one after the last.
    head : bytes, default=b""
        What stands in the place of as many bytes at its start: a header that was never finished.
    counted : bool, default=False
        Whether its length is known only when it has been decoded.
    """

    start: int
    stop: int
    head: bytes = b""
    counted: bool = False


def find_pieces(data: FileBytes, *, scan: bool = True) -> list[Piece]:
    """Find the recordings in a file.

    Parameters
    ----------
    data : FileBytes
        The file.
    scan : bool, default=True
        Whether all of it may be read, which only ogg, flac and some mp3 files need. Without, what
        follows the first recording in them is not found.

    Returns
    -------
    pieces : list of Piece
        One or more; of whatever is not known here, one that is the file.

    Raises
    ------
    UnusableClipError
        If a part of the file is missing, or more is there than its header says.
    """
    head = data.at(0, 16)
    if is_mp3(data):
        found = [Piece(*piece) for piece in find_mp3_pieces(data, scan=scan)]
    else:
        finder = next((find for magic, find in _FINDERS if head.startswith(magic)), None)
        if finder is None:
            return [Piece(0, data.size)]
        if finder in (_ogg, _flac):
            found = finder(data, 0 if scan else data.size)
        else:
            found = []
            start = 0
            while start < data.size and len(found) <= MOST_PIECES:
                (piece,) = finder(data, start)
                found.append(piece)
                start = piece.stop
                if not data.at(start, 16).startswith(head[:4]):
                    break
    if len(found) > MOST_PIECES:
        raise UnusableClipError(f"it is made of more than {MOST_PIECES} recordings; split it")
    if len(found) == 1 and not found[0].head and not found[0].counted:
        return [Piece(0, data.size)]  # tags at its ends are left to libsndfile
    return found


def _chunks_end(data: FileBytes, place: int, order: str) -> int:
    """Return where the chunks of a RIFF file end that follow each other without a gap."""
    while True:
        name = data.at(place, 4)
        after = place + 8 + data.number(place + 4, 4, order)
        if len(name) < 4 or not all(32 <= byte < 127 for byte in name) or after > data.size:
            return place
        if name in (b"RIFF", b"RIFX"):
            return place
        place = after + (after - place) % 2


def _riff(data: FileBytes, start: int) -> list[Piece]:
    order = "big" if data.at(start, 4) == b"RIFX" else "little"
    if data.at(start + 8, 4) != b"WAVE":
        return [Piece(start, data.size)]
    place = start + 12
    while (name := data.at(place, 4)) != b"data":
        size = data.number(place + 4, 4, order)
        if len(name) < 4 or place + 8 + size > data.size:
            return [Piece(start, data.size)]  # libsndfile will say what is wrong
        place += 8 + size + size % 2
    size = data.number(place + 4, 4, order)
    first, stop = place + 8, place + 8 + size
    if size >= STREAMED or stop > data.size:  # unknown, or truncated, which libsndfile tells
        return [Piece(start, data.size)]
    end = _chunks_end(data, stop + size % 2, order)
    if size % 2 and end == stop + 1:  # some programs forget the byte that fills an odd chunk
        end = _chunks_end(data, stop, order)
    rest = data.size - end
    if rest > 0 and data.at(end, 4) in (b"RIFF", b"RIFX"):
        return [Piece(start, end)]
    if size == 0 and rest > 0:  # an interrupted recorder, which writes the size at its end
        unknown = (0xFFFFFFFF).to_bytes(4, "big")
        return [Piece(start, data.size, data.at(start, first - start - 4) + unknown)]
    if rest > _MOST_JUNK and any(data.at(end, _MOST_JUNK)):
        raise UnusableClipError(
            f"its header says {size} bytes of samples, and {rest} more bytes follow: it was not "
            "finished, or something was appended to it; write it anew, as by 'ffmpeg "
            "-ignore_length 1 -i old.wav new.wav'"
        )
    return [Piece(start, data.size)]


def _sized(
    place_of_size: int, n_bytes: int, order: str, added: int
) -> Callable[[FileBytes, int], list[Piece]]:
    """Return a finder for files whose header says how many bytes they have in all."""

    def find(data: FileBytes, start: int) -> list[Piece]:
        total = data.number(start + place_of_size, n_bytes, order) + added
        if n_bytes == 8 and start + total > data.size + 1 and total < 2**62:
            raise UnusableClipError(f"it is truncated: {data.size} of {total} bytes are there")
        magic, stop = data.at(start, 4), start + total + total % 2
        if total > 16 and stop < data.size and data.at(stop, 4) == magic:
            return [Piece(start, stop)]
        return [Piece(start, data.size)]

    return find


def _au(data: FileBytes, start: int) -> list[Piece]:
    order = "big" if data.at(start, 4) == b".snd" else "little"
    offset, size = (data.number(start + place, 4, order) for place in (4, 8))
    if size == 0 and start + offset < data.size:
        head = data.at(start, 8) + b"\xff" * 4
        return [Piece(start, data.size, head)]
    stop = start + offset + size
    if size and data.at(stop, 4) == data.at(start, 4):
        return [Piece(start, stop)]
    return [Piece(start, data.size)]


def _caf(data: FileBytes, start: int) -> list[Piece]:
    place = start + 8
    while place + 12 <= data.size and data.at(place, 4) != b"caff":
        size = data.number(place + 4, 8, "big")
        if data.at(place, 4) == b"data" and size in (0, 2**64 - 1) and place + 16 < data.size:
            there = (data.size - place - 12).to_bytes(8, "big")
            return [Piece(start, data.size, data.at(start, place + 4 - start) + there)]
        place += 12 + size
    return [Piece(start, min(place, data.size))] if place < data.size else [Piece(start, data.size)]


def _flac(data: FileBytes, scan_to: int) -> list[Piece]:
    starts = [0]
    if not scan_to:
        for place in data.find_all(b"fLaC", 4):
            # followed by the block of 34 bytes with which all of them begin
            if data.at(place + 4, 4) in (b"\0\0\0\x22", b"\x80\0\0\x22"):
                starts.append(place)
    pieces = []
    for start, stop in zip(starts, [*starts[1:], data.size], strict=True):
        unknown = data.number(start + 21, 5, "big") & (2**36 - 1) == 0
        longer = head_without_length(data, start, stop)
        pieces.append(Piece(start, stop, longer, counted=unknown or bool(longer)))
    return pieces


def _ogg(data: FileBytes, scan_to: int) -> list[Piece]:
    starts: list[int] = []
    previous_end = 0
    for place in data.find_all(b"OggS\0\x02") if not scan_to else [0]:
        header = data.at(place, 27 + 255)
        if len(header) < 28 or any(header[6:14]):  # a stream begins at 0
            continue
        # Streams that run beside each other, as picture and sound, begin one after the other.
        if not starts or place != previous_end:
            starts.append(place)
        n_segments = header[26]
        previous_end = place + 27 + n_segments + sum(header[27 : 27 + n_segments])
    starts = starts or [0]
    starts[0] = 0
    stops = [*starts[1:], data.size]
    return [Piece(start, stop) for start, stop in zip(starts, stops, strict=True)]


_FINDERS: list[tuple[bytes, Callable[[FileBytes, int], list[Piece]]]] = [
    (b"RIFF", _riff),
    (b"RIFX", _riff),
    (b"RF64", _sized(20, 8, "little", 8)),
    (b"riff", _sized(16, 8, "little", 0)),
    (b"FORM", _sized(4, 4, "big", 8)),
    (b".snd", _au),
    (b"dns.", _au),
    (b"caff", _caf),
    (b"fLaC", _flac),
    (b"OggS", _ogg),
]
