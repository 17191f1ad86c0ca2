"""Recorded embeddings: NumPy's arrays are the program's, and a score is their cosine."""

import json
import subprocess

import numpy as np
import pytest
from conftest import PAIRS
from pairgate_dfn import read_embeddings, read_journal


def run(program, *args):
    ended = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    assert ended.returncode in (0, 1), ended.stderr


@pytest.fixture(scope="module")
def scores(program, tmp_path_factory):
    """Lines of scores, and embeddings beside them."""
    folder = tmp_path_factory.mktemp("scores")
    run(program, "score", PAIRS, "-o", folder / "scores.jsonl", "--embeddings")
    return folder


def test_each_line_has_its_row(scores):
    lines = [json.loads(line) for line in (scores / "scores.jsonl").read_text().splitlines()]
    pairs = read_embeddings(scores / "scores.npz")
    assert pairs.uid.tolist() == [line["uid"] for line in lines]
    assert pairs.image.shape == pairs.text.shape == (len(lines), 256)
    assert pairs.image.dtype == np.float16
    assert (pairs.covers, len(pairs.model), pairs.ticket) == ("all", 64, None)
    cosine = (pairs.image.astype("f8") * pairs.text.astype("f8")).sum(axis=1)
    for line, cosine in zip(lines, cosine, strict=True):
        assert np.isnan(cosine) if line["score"] is None else abs(line["score"] - cosine) < 2e-3


def test_a_folder_is_read_by_tickets(program, scores, tmp_path):
    run(program, "filter", PAIRS, "-o", tmp_path / "kept", "--threshold", "0", "--embeddings", "all")
    pairs, beside = read_embeddings(tmp_path / "kept"), read_embeddings(scores / "scores.npz")
    journal = read_journal(tmp_path / "kept")
    told = {record.ticket: record.uid for record in journal}
    assert [told[ticket] for ticket in pairs.ticket.tolist()] == pairs.uid.tolist()
    # `score` scores pairs that break a rule too.
    there = np.isin(beside.uid, pairs.uid)
    assert 0 < there.sum() == len(pairs.uid) < len(there)
    assert np.array_equal(pairs.image, beside.image[there])
    assert np.array_equal(pairs.uid, beside.uid[there])


def test_what_is_none_is_named(tmp_path):
    np.savez(tmp_path / "other.npz", b32_img=np.zeros((2, 3)), b32_txt=np.zeros((2, 3)))
    assert read_embeddings(tmp_path / "other.npz").covers is None
    with pytest.raises(ValueError, match="l14_img"):
        read_embeddings(tmp_path / "other.npz", names=("l14_img", "l14_txt"))
    np.savez(tmp_path / "odd.npz", image=np.zeros((2, 3)), text=np.zeros((2, 4)))
    with pytest.raises(ValueError, match="shapes"):
        read_embeddings(tmp_path / "odd.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no recorded embeddings"):
        read_embeddings(tmp_path / "empty")
