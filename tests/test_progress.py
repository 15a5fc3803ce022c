"""Progress: bars on terminals and in notebooks, plain lines elsewhere."""

import contextlib
import io
import os
import re
import sys
import types

import pytest

from atl_sklearn import _progress
from atl_sklearn._progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(text):
    """Return what a bar or lines counted up to, of what, in order."""
    return [(int(n), int(total)) for n, total in re.findall(r"(\d+)/(\d+)", text)]


@pytest.fixture(params=["terminal", "file"])
def file(request):
    return Terminal() if request.param == "terminal" else io.StringIO()


def test_a_bar_on_a_terminal_with_the_time_left():
    file = Terminal()
    with Progress(20, "training", unit="epoch", file=file) as progress:
        for _ in range(20):
            progress.update(note="loss 0.5")
    text = file.getvalue()
    assert text.startswith("\r") and "training: 100%" in text and "loss 0.5" in text
    assert re.search(r"20/20 \[\d\d:\d\d<\d\d:\d\d, .*epoch/s", text)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
@pytest.mark.parametrize("n_columns", [0, 40, 100])
def test_a_bar_on_a_real_terminal(monkeypatch, n_columns):
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    with open(theirs, "w") as file:
        size = struct.pack("HHHH", 24, n_columns, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        monkeypatch.setattr(sys, "stderr", file)
        with Progress(3, "training") as progress:
            progress.update(3)
    text = ""
    with open(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while part := terminal.read(2**16):  # or an error, as nobody writes any more
            text += part.decode()
    longest = max(map(len, re.split("[\r\n]+", text)))
    assert "\r" in text and "3/3" in text
    assert longest <= (n_columns or 80)


def test_plain_lines_elsewhere_a_tenth_each():
    file = io.StringIO()
    with Progress(1000, "training", unit="epoch", file=file) as progress:
        for _ in range(1000):
            progress.update()
    lines = file.getvalue().splitlines()
    assert shown(file.getvalue()) == [(n, 1000) for n in range(100, 1001, 100)]
    assert re.fullmatch(r"training: 100/1000 epochs, \d\d:\d\d gone, \d\d:\d\d left", lines[0])
    assert re.fullmatch(r"training: 1000/1000 epochs, \d\d:\d\d gone", lines[-1])
    assert "\r" not in file.getvalue()


def test_plain_lines_do_not_wait_for_the_next_tenth_for_ever(monkeypatch):
    monkeypatch.setattr(_progress, "_RARE", 0.0)
    file = io.StringIO()
    with Progress(1000, "training", file=file) as progress:
        progress.update()
        progress.update(0)
        progress.update()
    assert shown(file.getvalue()) == [(1, 1000), (2, 1000)]


def test_it_never_overshoots_nor_goes_back(file):
    with Progress(6, "search", unit="trial", file=file) as progress:
        progress.update(4)
        progress.advance_to(2)
        assert progress.n == 4
        progress.update(4)
        progress.update(4)
        assert progress.n == 6
    found = shown(file.getvalue())
    assert found[-1] == (6, 6)
    assert found == sorted(found) and {total for _, total in found} == {6}


def test_what_was_done_before_counts_but_not_for_the_time(file):
    with Progress(6, "search", unit="trial", initial=4, file=file) as progress:
        assert shown(file.getvalue())[0] == (4, 6)
        progress.update()
        progress.update()
    assert shown(file.getvalue())[-1] == (6, 6)
    with Progress(6, "search", initial=8, file=file):
        pass
    assert shown(file.getvalue())[-1] == (6, 6)


def test_an_early_end_leaves_the_state_it_had(file):
    with pytest.raises(KeyboardInterrupt), Progress(100, "training", file=file) as progress:
        progress.update(13)
        progress.update(4)
        raise KeyboardInterrupt
    assert shown(file.getvalue())[-1] == (17, 100)
    progress.update(50)  # is not shown any more
    assert shown(file.getvalue())[-1] == (17, 100)


def test_a_bar_in_a_bar_vanishes():
    file = Terminal()
    with Progress(2, "outer", file=file) as outer:
        for _ in range(2):
            with Progress(1, "inner", file=file) as inner:
                inner.update()
            outer.update()
    last = file.getvalue().rsplit("\r", 1)[1]
    assert "outer: 100%" in last and "inner" not in last


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_lines_do_not_run_into_the_bar(kind, capsys):
    file = kind()
    with Progress(2, "training", file=file) as progress:
        progress.write("a word")
    progress.write("another")
    assert capsys.readouterr().out == "a word\nanother\n"
    assert "word" not in file.getvalue()


def test_nothing_to_do_is_not_shown(file):
    with Progress(0, "training", file=file) as progress:
        progress.update()
    assert file.getvalue() == ""


def test_without_standard_error_it_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with Progress(2, "training") as progress:
        progress.update()
    assert capsys.readouterr().out == ""


def test_a_notebook_has_a_bar_though_it_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", types.ModuleType("zmqshell"))
    with Progress(2, "training") as progress:
        progress.update(2)
    assert "\rtraining: 100%" in capsys.readouterr().err
    file = io.StringIO()  # which is not the notebook's
    with Progress(2, "training", file=file) as progress:
        progress.update(2)
    assert "\r" not in file.getvalue()
