"""Formats that libsndfile does not read, known by their first bytes."""

from __future__ import annotations

import re
from typing import NamedTuple

# As many bytes of a file as tell its format.
HEAD = 256


class Format(NamedTuple):
    """A format that libsndfile does not read.

    Parameters
    ----------
    name : str
        What people call it.
    demuxer : str
        What FFmpeg calls it. It is told, and does not guess: it would take some texts for lists
        of other files, and read these.
    slack : float or None
        By how many seconds less there may be than its header says, because of what encoders add
        at the ends; None where a header does not say, or an estimate.
    """

    name: str
    demuxer: str
    slack: float | None


_FORMATS: list[tuple[bytes, Format]] = [
    (rb"....ftyp(3gp|3g2)", Format("3gp (MPEG-4)", "mov", 0.03)),
    (rb"....ftyp(qt  )", Format("mov (QuickTime)", "mov", 0.03)),
    (rb"....ftyp(M4A|M4B)", Format("m4a (MPEG-4)", "mov", 0.03)),
    (rb"....(ftyp|moov|mdat|wide|free|skip)", Format("mp4, m4a or mov (MPEG-4)", "mov", 0.03)),
    (rb"\x1a\x45\xdf\xa3", Format("webm or mkv (Matroska)", "matroska", 0.03)),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Format("wma or wmv (ASF)", "asf", 0.1)),
    (rb"#!AMR", Format("amr", "amr", None)),
    (rb"\xff[\xf0\xf1\xf8\xf9]", Format("aac (ADTS)", "aac", None)),
    (rb"ADIF", Format("aac (ADIF)", "aac", None)),
    (rb"RIFF....AVI ", Format("avi", "avi", 0.03)),
    (rb"FLV\x01", Format("flv", "flv", 0.03)),
    (rb"\x00\x00\x01\xba", Format("mpg (MPEG)", "mpeg", None)),
    (rb"G.{187}G", Format("ts (MPEG)", "mpegts", None)),
    (rb"\x0b\x77", Format("ac3", "ac3", None)),
    (rb"MAC ", Format("ape (Monkey's Audio)", "ape", 0.03)),
    (rb"wvpk", Format("wv (WavPack)", "wv", 0.03)),
    (rb"TTA1", Format("tta", "tta", 0.03)),
    (rb"DSD ", Format("dsf", "dsf", 0.03)),
    (rb"\.RMF", Format("rm (RealMedia)", "rm", None)),
    (rb"OggS.{24,90}(Speex   |\x80theora|fishead\0)", Format("ogg of Speex or video", "ogg", None)),
]


def foreign_format(head: bytes) -> Format | None:
    """Return the format of a file that libsndfile does not read.

    Parameters
    ----------
    head : bytes
        Its first bytes, 256 or more if it has them.

    Returns
    -------
    found : Format or None
        The format; None for all that libsndfile may read, and for what is no sound at all.
    """
    for pattern, found in _FORMATS:
        if re.match(pattern, head, re.DOTALL):
            return found
    return None
