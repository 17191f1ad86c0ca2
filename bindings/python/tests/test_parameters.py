"""What a gate is told, and what is refused."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from pairgate_dfn import Gate, Model, ModelError

BUNDLE = REPOSITORY / "models" / "default"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"threshold": 2}, r"policy\.threshold = 2.*-1.*1"),
        ({"threshold": float("nan")}, r"policy\.threshold"),
        ({"keep": 0}, r"keep = 0: above 0, at most 1"),
        ({"keep": float("nan")}, r"keep = NaN"),
        ({"keep": 1.5}, r"keep = 1\.5: above 0, at most 1"),
        ({"threshold": 0.1, "keep": 0.1}, r"threshold = 0\.1 and keep = 0\.1"),
        ({"threads": 0}, r"threads = 0: from 1 to 1024"),
        ({"threads": -3}, r"threads = -3"),
        ({"rules": "strict"}, r"rules = \"strict\": 'basic' or 'none'"),
        ({"config": {"rules": {"min_sides": 3}}}, r"min_sides"),
        ({"config": {"rule": {}}}, r"unknown field `rule`"),
        ({"config": {"a\nb": {}}}, r"config="),
        ({"config": {"rules": {"min_side": -1}}}, r"-1"),
        ({"config": {"rules": {"min_side": 70_000}}}, r"rules\.min_side = 70000.*65535"),
        ({"config": {"policy": {"keep": 0.5}, "follow": {"enabled": True}}}, r"follow\.enabled = true"),
        ({"config": "/no/such.toml"}, r"/no/such\.toml"),
    ],
)
def test_refused(parameters, told):
    with pytest.raises(ValueError, match=told):
        Gate(**parameters)


@pytest.mark.parametrize(
    "parameters", [{"config": 5}, {"config": {"rules": 5}}, {"config": {"rules": {"min_side": None}}}, {"model": 5},
                   {"threshold": "0.1"}, {"unknown": 1}, {"threads": 1.5}]
)  # fmt: skip
def test_wrong_types(parameters):
    with pytest.raises(TypeError):
        Gate(**parameters)


def test_a_files_line_is_named(tmp_path):
    config = tmp_path / "wrong.toml"
    config.write_text("[rules]\n\nmin_side = 70000\n")
    with pytest.raises(ValueError, match=r"wrong\.toml, line 3: .*rules\.min_side"):
        Gate(config=config)


def test_thresholds():
    assert Gate().threshold == Model().recommended_threshold
    assert Gate(threshold=0.25).threshold == 0.25
    assert Gate(keep=1).threshold < Gate(keep=0.5).threshold < Gate(keep=0.01).threshold
    # What is said outweighs a config.
    config = {"policy": {"threshold": 0.4}}
    assert Gate(config=config).threshold == float(np.float32(0.4))
    assert Gate(config=config, threshold=0.5).threshold == 0.5
    assert Gate(config=config, keep=0.5).threshold == Gate(keep=0.5).threshold
    assert Gate(config={"follow": {"enabled": True}, "policy": {"keep": 0.2}}, threshold=0.5).threshold == 0.5


def test_threads():
    import os

    assert Gate().threads == len(os.sched_getaffinity(0))
    assert Gate(threads=3).threads == 3
    assert Gate(config={"pipeline": {"workers": 5}}).threads == 5
    with pytest.raises(ValueError, match="threads = 0"):
        Gate().judge([], [], threads=0)


def test_settings_are_named(program, tmp_path, ball):
    gate = Gate(rules="none", threshold=0.5)
    assert gate.settings["policy.threshold"] == "0.5" and gate.settings["rules.min_side"] == "0"
    assert gate.settings_digest != Gate().settings_digest
    import json

    command = [program, "filter", str(REPOSITORY / "tests/data/pairs"), "-o", str(tmp_path / "kept"), "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert told["config_digest"] == Gate().settings_digest
    assert told["model_digest"] == Gate().model.digest


def test_all_are_scored(ball):
    image, _ = ball
    asked, not_asked = Gate(score_all=True)(image, "ball"), Gate()(image, "ball")
    assert asked.score is not None and not_asked.score is None
    assert asked.reason == not_asked.reason == "caption_too_few_words"


def test_models(tmp_path, ball):
    image, caption = ball
    expected = Gate()(image, caption)
    for model in (BUNDLE, str(BUNDLE), Model(BUNDLE), Model()):
        assert Gate(model=model)(image, caption) == expected
    assert Gate(config={"model": {"bundle": str(BUNDLE)}})(image, caption) == expected
    model = Model(BUNDLE)
    assert (model.dimension, model.context_length, model.image_size) == (256, 48, 112)
    assert model.digest == Model().digest == Gate().model.digest
    assert "non-commercial" in model.licence and model.name == "pairgate-default 0.3.0"
    with pytest.raises(ModelError, match="no-bundle"):
        Gate(model=tmp_path / "no-bundle")
    with pytest.raises(ModelError):
        Model(tmp_path)


def uncalibrated(folder):
    import shutil

    shutil.copytree(BUNDLE, folder)
    manifest = folder / "bundle.toml"
    lines = manifest.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("score_quantiles", "recommended_threshold"))]
    manifest.write_text("".join(kept))
    return folder


def test_a_model_that_is_not_calibrated(tmp_path):
    bundle = uncalibrated(tmp_path / "bundle")
    with pytest.raises(ValueError, match=r"keep = 0\.15: .*calibrate"):
        Gate(model=bundle, keep=0.15)
    with pytest.raises(ValueError, match="recommends no threshold: give threshold= or keep="):
        Gate(model=bundle)
    assert Gate(model=bundle, threshold=0.1).threshold == float(np.float32(0.1))


@pytest.mark.parametrize(
    "parameters",
    [{}, {"threshold": 0.2}, {"keep": 0.15, "threads": 2}, {"model": BUNDLE}, {"rules": "none", "scaled": True},
     {"config": {"rules": {"min_side": 0, "languages": ["en"]}, "policy": {"on_error": "keep"}}, "score_all": True}],
)  # fmt: skip
def test_pickles(parameters, ball):
    image, caption = ball
    gate = Gate(**parameters)
    data = pickle.dumps(gate)
    again = pickle.loads(data)
    assert again.settings == gate.settings and again.threads == gate.threads
    assert again(image, caption) == gate(image, caption)
    assert pickle.dumps(again) == pickle.dumps(Gate(**parameters)) == data
    assert len(data) < 1000


def test_pickles_hold_what_a_config_said(tmp_path, ball):
    config = tmp_path / "c.toml"
    config.write_text("[rules]\nmin_side = 0\n")
    data = pickle.dumps(Gate(config=config))
    config.unlink()
    assert pickle.loads(data).settings["rules.min_side"] == "0"


def test_pickles_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(BUNDLE.parent)
    data = pickle.dumps(Gate(model="default"))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(data).model.digest == Model().digest


def test_pickles_of_another_model_are_refused(tmp_path):
    bundle = uncalibrated(tmp_path / "bundle")
    gate, model = pickle.dumps(Gate(model=bundle, threshold=0.1)), pickle.dumps(Model(bundle))
    manifest = bundle / "bundle.toml"
    manifest.write_text(manifest.read_text() + "\n")
    for data in (gate, model):
        with pytest.raises(ModelError, match="is not the model that was pickled"):
            pickle.loads(data)


def test_decisions_and_models_are_pickled(ball):
    image, caption = ball
    gate = Gate()
    for decision in (gate(image, caption), gate(None, caption), gate(image, "ball")):
        assert pickle.loads(pickle.dumps(decision)) == decision
    model = Model(BUNDLE, threads=2)
    again = pickle.loads(pickle.dumps(model))
    assert pickle.dumps(again) == pickle.dumps(model) and again.digest == model.digest


def test_a_new_process_makes_the_same(ball, tmp_path):
    image, caption = ball
    gate = Gate(keep=0.3)
    (tmp_path / "gate.pickle").write_bytes(pickle.dumps((gate, image, caption)))
    code = "import pickle,sys; g, i, c = pickle.load(open(sys.argv[1], 'rb')); print(g(i, c))"
    command = [sys.executable, "-c", code, str(tmp_path / "gate.pickle")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == repr(gate(image, caption))
