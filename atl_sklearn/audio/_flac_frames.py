"""Frames of FLAC: up to which sample there are any, whatever the header of the file says.

The format is that of RFC 9639, sections 9.1 and 9.3.
"""

from __future__ import annotations

from functools import cache

from atl_sklearn.audio._bytes import FileBytes

_HEADER = 42  # bytes of the marker and of the block with which all streams begin
_FRAME_HEADER = 16  # bytes of that of a frame, at most
_TOTAL = slice(21, 26)  # of these: 4 bits of something else, and the number of samples
_LONGEST_FRAME = 2**17  # bytes that are searched where the header does not say how long frames are


@cache
def _table(polynomial: int, n_bits: int) -> list[int]:
    found = []
    for byte in range(256):
        value = byte << (n_bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (n_bits - 1) else 0)
            value &= (1 << n_bits) - 1
        found.append(value)
    return found


def _crc8(data: bytes) -> int:
    value, table = 0, _table(0x07, 8)
    for byte in data:
        value = table[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    value, table = 0, _table(0x8005, 16)
    for byte in data:
        value = (value << 8) & 0xFFFF ^ table[value >> 8 ^ byte]
    return value


def _coded_number(data: bytes) -> tuple[int, int] | None:
    """Return a number coded as UTF-8 codes characters, and its bytes; None for no such thing."""
    first = data[0]
    n_bytes = 1 if first < 0x80 else 8 - (first ^ 0xFF).bit_length()
    if first in (0xFF, *range(0x80, 0xC0)) or len(data) < n_bytes:
        return None
    value = first if n_bytes == 1 else first & (0x7F >> n_bytes)
    for byte in data[1:n_bytes]:
        if byte >> 6 != 0b10:
            return None
        value = value << 6 | byte & 0x3F
    return value, n_bytes


def _end_of_frame(data: bytes, block_size: int) -> int | None:
    """Return the number of the sample after a frame; None where no header of one begins."""
    data = data.ljust(_FRAME_HEADER, b"\0")  # a frame of one sample is shorter than a header may be
    if data[0] != 0xFF or data[1] & 0xFE != 0xF8:
        return None
    size_code, rate_code = data[2] >> 4, data[2] & 15
    number = _coded_number(data[4:11])
    if not size_code or rate_code == 15 or data[3] >> 4 > 10 or data[3] & 1 or number is None:
        return None
    place = 4 + number[1]
    if size_code in (6, 7):
        n_bytes = size_code - 5
        own_size = int.from_bytes(data[place : place + n_bytes], "big") + 1
        place += n_bytes
    elif size_code < 6:
        own_size = 192 if size_code == 1 else 576 << (size_code - 2)
    else:
        own_size = 256 << (size_code - 8)
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if _crc8(data[:place]) != data[place]:
        return None
    counts_samples = data[1] & 1
    return number[0] * (1 if counts_samples else block_size) + own_size


def head_without_length(data: FileBytes, start: int, stop: int) -> bytes:
    """Return a head of a FLAC stream that does not say how long it is, if it says too little.

    Parameters
    ----------
    data : FileBytes
        The file.
    start, stop : int
        The first byte of the stream, and the one after the last.

    Returns
    -------
    head : bytes
        What stands in the place of as many bytes at its start; nothing where the last frame ends
        where the header says, or where none can be found.
    """
    head = data.at(start, _HEADER)
    total = int.from_bytes(head[_TOTAL], "big") & (2**36 - 1)
    if len(head) < _HEADER or not total:
        return b""
    block_size = int.from_bytes(head[10:12], "big")
    longest = int.from_bytes(head[15:18], "big") or _LONGEST_FRAME
    tail = data.at(max(start + _HEADER, stop - longest), min(longest, stop - start - _HEADER))
    place = tail.rfind(b"\xff")
    while place >= 0:
        end = _end_of_frame(tail[place : place + _FRAME_HEADER], block_size)
        if end is not None:
            if end <= total:
                return b""
            # Bytes within a frame may look like the header of one, but not like a whole frame.
            if _crc16(tail[place:-2]) == int.from_bytes(tail[-2:], "big"):
                return head[:21] + bytes([head[21] & 0xF0, 0, 0, 0, 0]) + head[26:]
        place = tail.rfind(b"\xff", 0, place)
    return b""
