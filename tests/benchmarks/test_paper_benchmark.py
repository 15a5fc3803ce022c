"""The benchmark of the paper's set-up, on tiny folders laid out as the published sets are."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib")

from benchmarks.evidence.folds import Clips
from benchmarks.evidence.runs import read_runs
from benchmarks.paper import __main__ as command
from benchmarks.paper.choice import choose
from benchmarks.paper.corpora import PUBLIC, Corpus
from benchmarks.paper.forms import CONVOLUTIONS, FORMS, fit_unrelated, runs_of, train
from benchmarks.paper.pairs import PAIRS, Pair, draw, held_out, make_fold
from benchmarks.paper.readers import find_sets
from benchmarks.paper.report import summarise, table, write_report
from benchmarks.paper.runs import read_nuisance, run_fold
from benchmarks.paper.settings import PUBLISHED, SMALL

RATE = 8000


def sound(path, pitch=400.0, seconds=0.3):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(RATE * seconds)) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time), RATE)


def speech_commands(folder):
    for k, word in enumerate(("zero", "one", "happy")):
        for speaker in ("0a7c2a8d", "1b4c9b89"):
            for n in range(4):
                sound(folder / word / f"{speaker}_nohash_{n}.wav", 300 + 200 * k)
    sound(folder / "_background_noise_" / "pink_noise.wav")


def good_sounds(folder):
    classes = (
        "good-sound",
        "bad-richness",
        "bad-pitch bad-timbre",
        "scale-good",
        "bad-attack bad-x",
    )
    folder.mkdir()
    with sqlite3.connect(folder / "database.sqlite") as database:
        database.execute("CREATE TABLE packs (id INTEGER, name TEXT)")
        database.execute(
            "CREATE TABLE sounds (id INTEGER, instrument TEXT, klass TEXT, pack_filename TEXT, "
            "pack_id INTEGER)"
        )
        for pack, instrument in enumerate(("flute", "violin")):
            database.execute("INSERT INTO packs VALUES (?, ?)", (pack, f"{instrument}_reference"))
            for n, klass in enumerate(classes):
                name = f"{n:04d}.wav"
                row = (n, instrument, klass, name, pack)
                database.execute("INSERT INTO sounds VALUES (?, ?, ?, ?, ?)", row)
                for microphone in ("iphone", "neumann"):
                    sound(folder / "sound_files" / f"{instrument}_reference" / microphone / name)
    database.close()


def nsynth(folder):
    for part in ("nsynth-train", "nsynth-test"):
        notes = {
            f"{family}_{part}-{pitch:03d}": {"instrument_family_str": family, "pitch": pitch}
            for family in ("bass", "flute")
            for pitch in (40, 52)
        }
        for name, about in notes.items():
            sound(folder / part / "audio" / f"{name}.wav", 10.0 * about["pitch"])
        notes["guitar_that-is-not-there"] = {"instrument_family_str": "guitar", "pitch": 1}
        (folder / part / "examples.json").write_text(json.dumps(notes))


def iemocap(folder):
    turns = {"F000": "neu", "M000": "ang", "F001": "fru", "F002": "sad", "M001": "hap"}
    for session in (1, 2):
        dialog = f"Ses0{session}F_impro01"
        root = folder / f"Session{session}"
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        for n, (turn, emotion) in enumerate(turns.items()):
            lines.append(
                f"[{n}.2901 - {n}.9357]\t{dialog}_{turn}\t{emotion}\t[2.5000, 2.5000, 2.5]"
            )
            lines.append("C-E2:\tNeutral;\t()")
            sound(root / "sentences" / "wav" / dialog / f"{dialog}_{turn}.wav", 200 + 100 * n)
        (root / "dialog" / "EmoEvaluation").mkdir(parents=True)
        (root / "dialog" / "EmoEvaluation" / f"{dialog}.txt").write_text("\n".join(lines))


def librispeech(folder):
    for speaker, chapter in (("103", "1240"), ("14", "208"), ("26", "495")):
        for n in range(4):
            path = (
                folder / "train-clean-100" / speaker / chapter / f"{speaker}-{chapter}-{n:04d}.flac"
            )
            sound(path, 200.0 if speaker == "14" else 500.0)
    (folder / "SPEAKERS.TXT").write_text(
        ";ID  |SEX| SUBSET           |MINUTES| NAME\n"
        "14   | F | train-clean-360  | 25.03 | Kristin LeMoine\n"
        "26   | M | train-clean-100  | 25.08 | Denny Sayers\n"
        "103  | F | train-clean-100  | 15.4  | Karen | Savage\n"
    )


MADE = {
    "speech-commands": ("speech_commands_v0.02", speech_commands),
    "good-sounds": ("good-sounds", good_sounds),
    "nsynth": ("nsynth", nsynth),
    "iemocap": ("IEMOCAP_full_release", iemocap),
    "librispeech": ("LibriSpeech", librispeech),
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for name, make in MADE.values():
        make(folder / name)
    return folder


def names(corpus):
    return [path.replace("\\", "/").rsplit("/", 1)[1] for path in corpus.paths]


def test_speech_commands_are_read_by_word_and_speaker(sets):
    corpus = find_sets(sets)["speech-commands"]()
    assert len(corpus.paths) == 16  # no "happy", which is no digit, and no noise
    assert sorted(set(corpus.labels["word"])) == ["one", "zero"]
    assert sorted(set(corpus.labels["speaker"])) == ["0a7c2a8d", "1b4c9b89"]
    assert corpus.paths[0].endswith(f"{corpus.labels['speaker'][0]}_nohash_0.wav")


def test_good_sounds_have_one_microphone_and_one_class_each(sets):
    corpus = find_sets(sets)["good-sounds"]()
    assert names(corpus) == ["0000.wav", "0001.wav", "0002.wav"] * 2
    assert corpus.labels["goodness"].tolist() == ["good-sound", "bad-timbre", "bad-pitch"] * 2
    assert corpus.labels["instrument"].tolist() == ["flute"] * 3 + ["violin"] * 3
    assert all("iphone" in path for path in corpus.paths)


def test_nsynth_notes_are_read_from_all_parts(sets):
    corpus = find_sets(sets)["nsynth"]()
    assert len(corpus.paths) == 8
    found = dict(zip(names(corpus), corpus.labels["instrument"], strict=True))
    assert all(name.startswith(family) for name, family in found.items())
    assert sorted(set(corpus.labels["pitch"])) == ["40", "52"]


def test_iemocap_has_four_emotions_and_two_speakers_a_session(sets):
    corpus = find_sets(sets)["iemocap"]()
    assert len(corpus.paths) == 8  # none of the frustrated
    assert sorted(set(corpus.labels["speaker"])) == ["Ses01F", "Ses01M", "Ses02F", "Ses02M"]
    found = dict(zip(names(corpus), corpus.labels["emotion"], strict=True))
    assert found["Ses01F_impro01_M000.wav"] == "ang"


def test_librispeech_has_speakers_and_their_sex(sets):
    corpus = find_sets(sets)["librispeech"]()
    assert corpus.labels["speaker"].tolist() == ["103"] * 4 + ["14"] * 4 + ["26"] * 4
    assert corpus.labels["sex"].tolist() == ["F"] * 8 + ["M"] * 4


def test_a_set_itself_may_be_named_and_what_is_not_there_is_said(sets, tmp_path):
    assert sorted(find_sets(sets)) == sorted(MADE)
    assert list(find_sets(sets / "LibriSpeech")) == ["librispeech"]
    with pytest.raises(FileNotFoundError, match="at least one of"):
        find_sets(tmp_path)
    with pytest.raises(FileNotFoundError, match="must be a folder"):
        find_sets(tmp_path / "none")


def test_samples_are_drawn_evenly_and_groups_are_held_out(sets):
    rng = np.random.RandomState(0)
    labels = np.repeat(["a", "b", "c"], [50, 3, 10])
    chosen = draw(labels, 12, rng)
    assert np.unique(labels[chosen], return_counts=True)[1].tolist() == [5, 3, 4]
    assert len(draw(labels, None, rng)) == 63
    corpus = find_sets(sets)["iemocap"]()
    pair = PAIRS["iemocap-iemocap"]
    tests = [set(corpus.labels["speaker"][held_out(corpus, pair, k)]) for k in range(4)]
    assert all(len(found) == 1 for found in tests) and len(set.union(*tests)) == 4


def tiny(settings, **network):
    network = {**settings.network, "module__width": 1 / 64, **network}
    features = {**settings.features, "sr": RATE}
    return replace(settings, features=features, network=network, max_epochs=1, unrelated_epochs=1)


def sounds_of(folder, label, values):
    """Return a set of two labels, as the public ones have them."""
    table = [(value, speaker, n) for value in values for speaker in "abc" for n in range(2)]
    paths = [folder / f"{value}_{speaker}_{n}.wav" for value, speaker, n in table]
    for path in paths:
        sound(path)
    labels = {label: [value for value, _, _ in table], "speaker": [who for _, who, _ in table]}
    return Corpus(
        np.array([str(path) for path in paths]),
        {name: np.array(found) for name, found in labels.items()},
        1.0,
    )


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    made = {
        "fsdd": sounds_of(folder, "digit", ("0", "1")),
        "arabic": sounds_of(folder, "word", ("no", "yes")),
    }
    assert made.keys() == PUBLIC.keys()
    return {name: (lambda corpus=corpus: corpus) for name, corpus in made.items()}


@pytest.mark.parametrize("name", list(PAIRS))
@pytest.mark.parametrize("index", [0, 1])
def test_every_pair_has_folds_of_its_labels(sets, public, name, index):
    corpora, pair = {**public, **find_sets(sets)}, PAIRS[name]
    assert pair.lacks(corpora) == ""
    fold = make_fold(pair, corpora, index, replace(tiny(SMALL), n_train=8))
    target, unrelated = corpora[pair.target[0]](), corpora[pair.unrelated[0]]()
    parts = (fold.train, fold.unrelated, fold.unlabeled, fold.probe, fold.test)
    assert all(len(part.X) and part.X.shape[1:] == fold.train.X.shape[1:] for part in parts)
    assert set(fold.train.target) <= set(target.labels[pair.target[1]])
    assert set(fold.train.nuisance) <= set(target.labels[pair.nuisance])
    assert set(fold.unrelated.nuisance) <= set(unrelated.labels[pair.unrelated[1]])
    is_test = held_out(target, pair, index)
    assert 0 < is_test.sum() < len(is_test) and len(fold.test.X) == is_test.sum()
    if pair.groups is not None:
        groups = target.labels[pair.groups]
        assert not set(groups[is_test]) & set(groups[~is_test])
    if pair.target[0] == pair.unrelated[0]:
        known = unrelated.labels[pair.unrelated[1]][~is_test]
        assert sorted(fold.unrelated.nuisance) == sorted(known)


def test_every_set_is_enough_with_what_is_public_and_every_label_is_used(sets, public):
    corpora = {**public, **find_sets(sets)}
    for name in MADE:
        found = {name: corpora[name]}
        choice = choose({**public, **found}, found)
        assert choice.pairs and choice.unused == {}
        assert all(name in PAIRS[pair].sets for pair in (*choice.pairs, *choice.skipped))
    used = {of for pair in PAIRS.values()
            for of in (pair.target, pair.unrelated, (pair.target[0], pair.nuisance))}  # fmt: skip
    assert used == {(name, label) for name, read in corpora.items() for label in read().labels}


def test_pairs_are_those_of_the_sets_that_are_there(sets, public):
    found = find_sets(sets)
    assert choose(public).pairs == ["fsdd-arabic", "arabic-fsdd"]
    choice = choose({**public, **found}, found)
    assert choice.pairs == [name for name in PAIRS if name not in ("fsdd-arabic", "arabic-fsdd")]
    assert choice.skipped == choice.unused == {}
    choice = choose({**public, **found}, found, ["nsynth-nsynth", "fsdd-arabic"])
    assert choice.pairs == ["nsynth-nsynth", "fsdd-arabic"]
    assert choice.unused == dict.fromkeys(set(MADE) - {"nsynth"}, "no pair of --pairs has it")
    only = find_sets(sets / "LibriSpeech")["librispeech"]()
    women = Corpus(only.paths[:8], {k: v[:8] for k, v in only.labels.items()}, 1.0)
    problem = PAIRS["iemocap-librispeech-sex"].lacks({**found, "librispeech": lambda: women})
    assert problem == "librispeech must have recordings of two values of 'sex', and has 1"


@pytest.fixture
def pair(monkeypatch):
    made = Pair(
        "Words, from readers", ("speech-commands", "word"), ("librispeech", "speaker"), "word"
    )
    monkeypatch.setitem(PAIRS, "speech-commands-iemocap", made)
    return made


@pytest.mark.parametrize("settings", [SMALL, PUBLISHED], ids=["small", "published"])
def test_forms_run_once_and_are_reported(sets, pair, settings, tmp_path, capsys):
    settings = replace(tiny(settings), n_train=10, n_test=None)
    path = tmp_path / "runs.jsonl"
    forms = ["plain", "initialised", "published-random", "cross-correlation-unlabeled"]
    arguments = (path, "speech-commands-iemocap", 0, find_sets(sets), settings, forms)
    run_fold(*arguments)
    runs = read_runs(path)
    assert [run["form"] for run in runs] == ["plain"] * 5 + forms[1:]
    assert all(0 <= run["accuracy"] <= 1 and run["n_train"] == 10 for run in runs)
    run_fold(*arguments)
    assert read_runs(path) == runs
    text = write_report(path, tmp_path)
    assert all(FORMS[form].title in text for form in forms) and "13 (28)" in text
    assert (tmp_path / "layers.png").stat().st_size > 1000


def test_the_default_is_what_the_constructor_makes_of_an_unrelated_network(sets, pair):
    fold = make_fold(pair, find_sets(sets), 0, replace(tiny(SMALL), n_train=10))
    unrelated = fit_unrelated(fold, 0)
    nets = {name: train(fold, unrelated, name, None, 0) for name in ("plain", "default")}
    plain, default = (net.get_params(deep=False) for net in nets.values())
    assert {name for name in plain if plain[name] is not default[name]} == {"unrelated"}
    # Given a weight, the product of experts and the steps between two penalties are other ones.
    assert default["weight"] == default["product_of_experts"] == default["penalty_every"] == "auto"
    given = [form.params for name, form in FORMS.items() if name != "default" and form.params]
    assert all(params["weight"] == params["penalty_every"] == 1 for params in given)
    assert [place for _, place, _ in runs_of(["default"])] == [None]


def test_a_nuisance_with_too_few_recordings_is_not_probed(sets):
    corpora = find_sets(sets)
    fold = make_fold(PAIRS["iemocap-iemocap"], corpora, 0, replace(tiny(SMALL), n_train=6))
    net = train(fold, None, "plain", None, 0)
    assert np.isnan(read_nuisance(net, fold.probe))
    many = Clips(*(np.concatenate([part] * 5) for part in (fold.probe.X, fold.probe.target,
                                                          fold.probe.nuisance)))  # fmt: skip
    assert 0 <= read_nuisance(net, many) <= 1


def test_no_recording_of_the_test_is_seen_before(sets):
    corpora = find_sets(sets)
    settings = replace(tiny(SMALL), n_train=8)
    fold = make_fold(PAIRS["iemocap-iemocap"], corpora, 0, settings)
    tested = set(fold.test.nuisance)
    for part in (fold.train, fold.unrelated, fold.unlabeled, fold.probe):
        assert not tested & set(part.nuisance)


def test_each_convolution_has_a_run_and_gains_are_to_the_plain_network():
    places = [place for name, place, _ in runs_of(["published"])]
    assert places == list(range(len(CONVOLUTIONS)))

    def run(form, fold, seed, accuracy, place=None):
        names = ("pair", "form", "fold", "seed", "place", "accuracy", "train", "probe")
        values = ("fsdd-arabic", form, fold, seed, place, accuracy, 1.0, 0.5)
        return dict(zip(names, values, strict=True))

    runs = [run("plain", k, s, 0.4 + 0.1 * k + 0.02 * s) for k in (0, 1) for s in (0, 2)]
    runs += [run("published", k, 0, 0.52 + 0.1 * k, place=12) for k in (0, 1)]
    runs.append(run("default", 0, 0, 0.9, place=12))  # of one fold only, which does not compare
    rows = {(row.form, row.place): row for row in summarise(runs)}
    assert rows.keys() == {("plain", None), ("published", 12)}
    assert rows["published", 12].gains == pytest.approx((10.0, 10.0))
    runs += [{**run("published", k, 0, 0.43 + 0.1 * k, place=0), **RAN} for k in (0, 1)]
    text = table(summarise(runs), [{**RAN, **found} for found in runs])
    assert "at 2 of 13 convolutions: +5.5 points on the mean, from +1.0 to +10.0" in text
    assert "differ by 2.8 points" in text and "2 folds, 9 networks" in text


RAN = {"seconds": 1.0, "unrelated_train": 0.9}


def call(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["paper", *map(str, arguments)])
    command.main()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Be in an empty folder, with networks that are small and public sets that cannot be had."""

    def fails():
        raise OSError("no connection")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "PUBLIC", dict.fromkeys(PUBLIC, fails))
    monkeypatch.setitem(command.SETTINGS, "small", replace(tiny(SMALL), n_train=8))


def test_the_command_runs_the_sets_that_are_found(offline, monkeypatch, tmp_path, capsys):
    data = tmp_path / "data"
    nsynth(data / "nsynth")
    librispeech(data / "LibriSpeech")
    forms = ("plain", "default", "published-none")
    call(monkeypatch, "--data", data, "--folds", 0, "--forms", *forms)
    said = capsys.readouterr().out
    assert "good-sounds-nsynth is skipped: good-sounds was not found\n" in said
    assert "fsdd-librispeech is skipped: fsdd cannot be read: no connection\n" in said
    assert "arabic" not in said and "nsynth was found and is" not in said
    unused = "librispeech was found and is not used: iemocap-librispeech and fsdd-librispeech and "
    assert unused in said
    runs = read_runs(tmp_path / "paper_small" / "runs.jsonl")
    assert [run["form"] for run in runs] == ["plain"] * 5 + list(forms[1:])
    assert {(run["pair"], run["fold"]) for run in runs} == {("nsynth-nsynth", 0)}
    text = (tmp_path / "paper_small" / "table.rst").read_text()
    assert text in said and all(FORMS[form].title in text for form in forms)
    assert PAIRS["nsynth-nsynth"].title in text
    call(monkeypatch, "--data", data, "--report")
    assert capsys.readouterr().out == text + "\n"
    call(monkeypatch, "--data", data, "--folds", 0, "--forms", *forms)
    assert read_runs(tmp_path / "paper_small" / "runs.jsonl") == runs


def test_the_command_names_what_is_missing(offline, monkeypatch, tmp_path, capsys):
    data = tmp_path / "data"
    librispeech(data / "LibriSpeech")
    for arguments, told in [
        (("--data", tmp_path / "paper"), "must be a folder"),
        (("--data", tmp_path), "at least one of"),
        (("--pairs", "iemocap-iemocap"), "iemocap was not found. Take other pairs, or pass --data"),
        (("--data", data), "fsdd-librispeech: fsdd cannot be read: no connection"),
        ((), "fsdd-arabic: fsdd cannot be read: no connection; arabic-fsdd"),
    ]:
        with pytest.raises(SystemExit):
            call(monkeypatch, *arguments)
        assert told in capsys.readouterr().err
    assert not list(tmp_path.glob("*/runs.jsonl"))


def test_a_found_set_without_recordings_is_named(tmp_path):
    iemocap(tmp_path / "IEMOCAP")
    (tmp_path / "LibriSpeech").mkdir()
    (tmp_path / "LibriSpeech" / "SPEAKERS.TXT").write_text("14 | F | train-clean-360 | 25.03 | K")
    found = find_sets(tmp_path)
    choice = choose(found, found)
    assert choice.pairs == ["iemocap-iemocap", "iemocap-iemocap-session"]
    assert "no recording with a label in it" in choice.skipped["iemocap-librispeech"]
    assert list(choice.unused) == ["librispeech"]
