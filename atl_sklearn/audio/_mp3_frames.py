"""The frames of mp3 files, as far as their lengths and the tag of the first of them go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from atl_sklearn.audio._bad_audio import UnusableClipError
from atl_sklearn.audio._bytes import FileBytes

# In kbit/s by index, of layer 3 and, of version 1 alone, the others.
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_SAMPLING = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# Some programs do not count the first frame, or the last.
_MOST_UNCOUNTED = 2 * 1441


class _Frame(NamedTuple):
    version: int
    rate: int
    n_bytes: int
    tag_at: int  # where its tag would be


class _Tag(NamedTuple):
    start: int
    n_bytes: int  # of the recording, this frame included; 0 where it does not say


def _frame_of(header: bytes) -> _Frame | None:
    """Return what the header of a frame of layer 3 says; None where there is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, rate, index = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or index in (0, 15):
        return None
    sampling = _SAMPLING[version][rate]
    kbits, factor = (_RATES_1[index], 144) if version == 3 else (_RATES_2[index], 72)
    mono = header[3] >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    size = factor * kbits * 1000 // sampling + (header[2] >> 1 & 1)
    return _Frame(version, sampling, size, 4 + side)


def _is_frame(data: FileBytes, place: int) -> bool:
    """Tell whether a frame is at a place, by the one after it."""
    frame = _frame_of(data.at(place, 4))
    if frame is None:
        return False
    after = place + frame.n_bytes
    following = _frame_of(data.at(after, 4))
    if following is None:
        return after >= data.size
    return (following.version, following.rate) == (frame.version, frame.rate)


def _after_tags(data: FileBytes, place: int) -> int:
    """Return where the tags at a place end."""
    while place < data.size:
        head = data.at(place, 32)
        if head[:3] == b"ID3" and len(head) >= 10:
            place += 10 + sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
        elif head[:3] == b"TAG":
            place += 128
        elif head[:8] == b"APETAGEX":
            place += 32 + int.from_bytes(head[12:16], "little")
        elif head[:1] == b"\0":
            padding = data.at(place, 2**16)
            place += len(padding) - len(padding.lstrip(b"\0"))
        else:
            break
    return place


def _tag_at(data: FileBytes, place: int) -> _Tag | None:
    """Return the tag in the frame at a place."""
    content = data.at(place, 64)
    frame = _frame_of(content)
    if frame is None:
        return None
    tag = content[frame.tag_at :]
    if tag[:4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(tag[4:8], "big")
    offset = 12 if flags & 1 else 8
    n_bytes = int.from_bytes(tag[offset : offset + 4], "big") if flags & 2 else 0
    return _Tag(place, n_bytes if flags & 1 else 0)


def _tags(data: FileBytes, start: int) -> Iterator[_Tag]:
    """Yield the tags of the recordings in a file."""
    for name in (b"Xing", b"Info"):
        for place in data.find_all(name, start):
            for distance in (13, 21, 36):
                tag = _tag_at(data, place - distance) if place >= start + distance else None
                if tag is not None:
                    yield tag


def is_mp3(data: FileBytes) -> bool:
    """Tell whether a file is mp3: it begins with a frame, after tags."""
    head = data.at(0, 4)
    if head[:3] != b"ID3" and _frame_of(head) is None:
        return False
    return _is_frame(data, _after_tags(data, 0))


def find_mp3_pieces(data: FileBytes, *, scan: bool) -> list[tuple[int, int, bytes, bool]]:
    """Find the recordings in an mp3 file.

    Parameters
    ----------
    data : FileBytes
        The file.
    scan : bool
        Whether all of it may be read.

    Returns
    -------
    pieces : list of (int, int, bytes, bool)
        Fields of :class:`Piece`. The length of one whose first frame has no tag with the numbers
        of its frames and bytes is known only when it has been decoded.

    Raises
    ------
    UnusableClipError
        If there is less of it than its tag says.
    """
    start = _after_tags(data, 0)
    known: list[int] | None = None
    pieces = []
    while start < data.size:
        tag = _tag_at(data, start)
        if tag is not None and tag.n_bytes:
            stop = start + tag.n_bytes
            if stop > data.size:
                raise UnusableClipError(
                    f"it is truncated: {data.size - start} of {tag.n_bytes} bytes are there"
                )
            after = _after_tags(data, stop)
            if not (data.size - after > _MOST_UNCOUNTED and _is_frame(data, after)):
                pieces.append((start, data.size, b"", False))
                break
            pieces.append((start, stop, b"", False))
            start = after
            continue
        if known is None:
            known = sorted(tag.start for tag in _tags(data, start + 1)) if scan else []
        stop = next((place for place in known if place > start), data.size)
        pieces.append((start, stop, b"", True))
        start = stop
    return pieces
