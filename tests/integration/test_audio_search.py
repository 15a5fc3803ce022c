"""From audio to a search over the weight, as users write it."""

import numpy as np
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier, list_layers
from atl_sklearn.audio import LibrosaFeatures, Standardizer
from atl_sklearn.datasets import fetch_fsdd, make_notes

SMALL = {
    "module__channels": (4, 6),
    "module__pool_after": (0,),
    "max_epochs": 2,
    "random_state": 0,
}


def front(sr, duration):
    features = LibrosaFeatures(sr=sr, duration=duration, n_fft=256, n_mels=12, hop_length=256)
    return make_pipeline(features, Standardizer())


def test_notes_from_waveforms_to_a_grid():
    notes = make_notes(48, correlation=0.8, random_state=0)
    before = front(notes.sr, 0.25)
    pitch = make_pipeline(before, AntiTransferClassifier(**SMALL)).fit(notes.data, notes.pitch)
    pipeline = make_pipeline(before, AntiTransferClassifier(unrelated=pitch[-1], **SMALL))
    grid = {"antitransferclassifier__weight": [0, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(notes.data, notes.target_names[notes.timbre])
    assert set(search.predict(notes.data)) <= set(notes.target_names)
    best = search.best_estimator_[-1]
    assert best.unrelated is pitch[-1]
    names = [layer.name for layer in list_layers(pitch, notes.data)]
    assert "blocks.1.activation" in names


def test_memory_maps_all_the_way_give_the_same_network(tmp_path):
    notes = make_notes(40, random_state=0)
    parameters = {"sr": notes.sr, "duration": 0.25, "n_fft": 256, "n_mels": 12}

    def fit(folder):
        features = LibrosaFeatures(**parameters, memory_map=folder)
        before = make_pipeline(features, Standardizer(memory_map=folder))
        X = before.fit_transform(notes.data)
        assert isinstance(X, np.memmap) == (folder is not None)
        return AntiTransferClassifier(**SMALL).fit(X, notes.timbre).predict_proba(X)

    np.testing.assert_array_equal(fit(tmp_path), fit(None))


def test_speech_from_paths_with_the_nuisance_fitted_in_each_fold(
    data_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("ATL_SKLEARN_DATA", str(data_folder))
    fsdd = fetch_fsdd(data_home=tmp_path, download_if_missing=False)
    keep = np.flatnonzero((fsdd.take < 6) & (fsdd.digit < 3))
    paths, digits, speakers = fsdd.paths[keep], fsdd.digit[keep], fsdd.speaker[keep]
    learns = AntiTransferClassifier(**{**SMALL, "max_epochs": 40, "lr": 0.02})
    net = AntiTransferClassifier(unrelated=learns, weight=1.0, **SMALL)
    results = cross_validate(
        make_pipeline(front(8000, 0.5), net),
        paths,
        digits,
        groups=speakers,
        cv=GroupKFold(3),
        params={"antitransferclassifier__y_unrelated": speakers},
        return_estimator=True,
        error_score="raise",
    )
    for fitted in results["estimator"]:
        assert len(fitted[-1].unrelated_.classes_) == 4  # the other two speak in the test fold
        assert fitted[-1].unrelated_score_ > 0.5
        assert np.isfinite(fitted[-1].history[:, "train_penalty"]).all()
