"""Every type of image and caption, and everything that is wrong with one."""

import io
import pathlib

import numpy as np
import pytest
from pairgate_dfn import Decision, Gate, Model
from PIL import Image, ImageOps


@pytest.fixture(scope="module")
def gate():
    return Gate()


def test_bytes_of_every_kind(gate, ball, tmp_path):
    image, caption = ball
    path = tmp_path / "ball.jpg"
    path.write_bytes(image)
    expected = gate(image, caption)
    assert expected.kept and expected.score is not None
    strided = np.zeros(2 * len(image), np.uint8)
    strided[::2] = np.frombuffer(image, np.uint8)
    others = [
        bytearray(image), memoryview(image), memoryview(bytearray(image)), memoryview(b"x" + image)[1:],
        np.frombuffer(image, np.uint8), strided[::2], str(path), path, np.bytes_(image),
    ]
    for other in others:
        assert gate(other, caption) == expected, type(other)
    for text in (caption.encode(), bytearray(caption.encode()), b"\xef\xbb\xbf" + caption.encode(), np.str_(caption)):
        assert gate(image, text) == expected


def pixels_of(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))


def test_pixels_score_as_their_file(gate, ball):
    image, caption = ball
    expected, pixels = gate(image, caption), pixels_of(image)
    for given in (pixels, Image.fromarray(pixels), np.asfortranarray(pixels), Image.open(io.BytesIO(image))):
        found = gate(given, caption)
        assert (found.score, found.width, found.height) == (expected.score, expected.width, expected.height)
        # Their identity is that of the pixels.
        assert found.uid != expected.uid and found.sha256 == gate(pixels, caption).sha256
    import hashlib
    import struct

    digest = hashlib.sha256(struct.pack("<II", 240, 240) + pixels.tobytes())
    assert gate(pixels, caption).sha256 == digest.hexdigest()
    uid = hashlib.sha256(digest.digest() + caption.encode()).hexdigest()[:32]
    assert gate(pixels, caption).uid == uid


def test_grey_and_opacity(gate, ball):
    image, caption = ball
    pixels = pixels_of(image)
    grey = pixels[:, :, 0].copy()
    spread = np.repeat(grey[:, :, None], 3, axis=2)
    assert gate(grey, caption) == gate(spread, caption) == gate(grey[:, :, None], caption)
    assert gate(Image.fromarray(grey), caption) == gate(spread, caption)
    alpha = np.full(grey.shape, 255, np.uint8)
    alpha[:60] = 0
    rgba = np.dstack([pixels, alpha])
    over_white = pixels.copy()
    over_white[:60] = 255
    assert gate(rgba, caption) == gate(over_white, caption) == gate(Image.fromarray(rgba), caption)
    png = io.BytesIO()
    Image.fromarray(rgba).save(png, "PNG")
    assert gate(png.getvalue(), caption).score == gate(rgba, caption).score


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "LA", "PA", "RGBX", "I;16", "HSV", "LAB"])
def test_modes_of_pillow(gate, ball, mode):
    image, caption = ball
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    if mode == "I;16":
        grey = np.asarray(picture.convert("L")).astype(np.uint16)
        picture = Image.fromarray(grey * 257)
        assert picture.mode == "I;16"
        assert gate(picture, caption) == gate(grey.astype(np.uint8), caption)
    elif mode == "PA":
        picture = picture.convert("P").convert("PA")
    elif mode == "LAB":
        from PIL import ImageCms

        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(picture, to_lab)
    else:
        picture = picture.convert(mode)
    assert picture.mode == mode
    found = gate(picture, caption)
    # What Pillow cannot turn into RGB is a reason.
    assert found.score is not None or (mode == "LAB" and found.reason == "undecodable")


def test_transparent_palette(gate, ball):
    image, caption = ball
    picture = Image.open(io.BytesIO(image)).convert("P")
    picture.info["transparency"] = picture.getpixel((0, 0))
    png = io.BytesIO()
    picture.save(png, "PNG")
    assert gate(Image.open(io.BytesIO(png.getvalue())), caption).score == gate(png.getvalue(), caption).score


def test_orientation(gate, ball):
    image, caption = ball
    picture = Image.open(io.BytesIO(image)).resize((320, 240))
    exif = picture.getexif()
    exif[0x112] = 6
    turned = io.BytesIO()
    picture.save(turned, "JPEG", exif=exif, quality=95)
    file, pil = gate(turned.getvalue(), caption), gate(Image.open(io.BytesIO(turned.getvalue())), caption)
    assert (file.width, file.height) == (pil.width, pil.height) == (240, 320)
    assert file.score == pil.score


def test_what_is_missing(gate, ball):
    image, caption = ball
    pandas_na = type("NAType", (), {"__module__": "pandas._libs.missing"})()
    for missing in (None, float("nan"), np.float64("nan"), pandas_na):
        assert gate(missing, caption).reason == "image_missing"
        assert gate(image, missing).reason == "caption_missing"
    assert gate(None, None).verdict == "failed"
    assert gate("/no/such/file.jpg", caption).reason == "image_missing"
    assert gate("", caption).reason == "image_missing"
    assert gate("nul\0.jpg", caption).reason == "image_missing"
    assert gate(pathlib.Path("/"), caption).reason == "image_missing"
    assert gate("/dev/zero", caption).reason == "image_missing"


def test_what_is_broken(gate, ball):
    image, caption = ball
    assert gate(b"", caption).reason == "unknown_format"
    assert gate(image[:-200], caption).reason == "image_truncated"
    assert gate(np.zeros([0, 8, 3], np.uint8), caption).reason == "undecodable"
    assert gate(Image.new("F", (240, 240)), caption).reason == "unsupported_format"
    assert gate(Image.open(io.BytesIO(image[: len(image) // 2])), caption).reason == "image_truncated"
    assert gate(image, b"\xff a red ball").reason == "caption_not_utf8"
    assert gate(image, "a red ball \ud800").reason == "caption_not_utf8"
    assert gate(image, "").reason == "caption_too_few_words"
    assert gate(image, "a b c" * 2_000_000).reason == "caption_too_long"
    small = Gate(config={"image": {"max_pixels": 100}})
    for given in (image, pixels_of(image), Image.open(io.BytesIO(image))):
        assert small(given, caption).reason == "image_too_large"
    # The size alone is asked: no memory is taken for what a header says.
    assert small(Image.new("1", (20_000, 20_000)), caption).reason == "image_too_large"


@pytest.mark.parametrize(
    "wrong",
    [5, 1.5, True, [1, 2], {}, object(), np.zeros([8, 8, 3], np.float32), np.zeros([3, 8, 8, 3], np.uint8),
     np.zeros([8, 8, 2], np.uint8), np.array(5, np.uint8), io.BytesIO(b"")],
)  # fmt: skip
def test_wrong_types_name_their_place(gate, ball, wrong):
    image, caption = ball
    with pytest.raises(TypeError, match=r"image: .*give bytes"):
        gate(wrong, caption)
    with pytest.raises(TypeError, match=r"images\[1\]: .*give bytes"):
        gate.judge([image, wrong], [caption] * 2)
    if not isinstance(wrong, np.ndarray):
        with pytest.raises(TypeError, match=r"captions\[2\]: .*give str"):
            gate.judge([image] * 3, [caption, caption, wrong])


def test_lists(gate, ball):
    image, caption = ball
    expected = gate(image, caption)
    assert gate.judge([], []) == []
    assert gate.judge((image for _ in range(3)), iter([caption] * 3)) == [expected] * 3
    assert gate.judge(np.stack([pixels_of(image)] * 2), [caption] * 2) == [gate(pixels_of(image), caption)] * 2
    for images, captions in ([image], []), ([], [caption]), ([image] * 3, [caption] * 2):
        with pytest.raises(ValueError, match="one for each pair"):
            gate.judge(images, captions)
        with pytest.raises(ValueError, match="one for each pair"):
            gate.judge(iter(images), iter(captions))
    with pytest.raises(ValueError, match="metadata"):
        gate.judge([image], [caption], metadata=[])
    for wrong in (image, "path.jpg", 5, None):
        with pytest.raises(TypeError, match="images: give a list"):
            gate.judge(wrong, [caption])


def test_columns(gate, ball):
    image, caption = ball
    columns = gate.judge([image, None, image], [caption, caption, "ball"], columns=True)
    decisions = gate.judge([image, None, image], [caption, caption, "ball"])
    assert columns["kept"].tolist() == [True, False, False]
    assert columns["score"].dtype == np.float32 and np.isnan(columns["score"][1:]).all()
    for name, column in columns.items():
        values = column.tolist() if isinstance(column, np.ndarray) else column
        for value, decision in zip(values, decisions, strict=True):
            expected = decision.to_dict()[name]
            assert value == expected or (expected is None and value != value), name
    empty = gate.judge([], [], columns=True)
    assert set(empty) == set(columns) and all(len(column) == 0 for column in empty.values())


def test_metadata(gate, ball):
    image, caption = ball
    uid = "0123456789abcdef0123456789abcdef"
    for metadata in ({"uid": uid}, f'{{"uid": "{uid}"}}', f'{{"uid": "{uid}"}}'.encode()):
        assert gate(image, caption, metadata=metadata).uid == uid
    assert gate(image, caption, metadata={"original_width": 90, "original_height": 90}).reason == "image_too_small"
    assert gate(image, None, metadata={"caption": caption}) == gate(image, caption)
    assert gate(image, None, metadata="[").reason == "metadata_invalid"
    assert gate(image, caption, metadata="[") == gate(image, caption)
    with pytest.raises(TypeError, match=r"metadata\[1\]"):
        gate.judge([image] * 2, [caption] * 2, metadata=[None, 5])


def test_a_large_batch_of_pixels_is_taken_bit_by_bit(gate, ball, monkeypatch):
    image, caption = ball
    pixels = np.zeros([3000, 3000, 3], np.uint8)
    decisions = gate.judge([pixels] * 12, [caption] * 12)
    assert [decision.width for decision in decisions] == [3000] * 12


def test_embeddings(ball):
    image, caption = ball
    model = Model()
    images = model.embed_images([image, pixels_of(image), Image.open(io.BytesIO(image))], threads=2)
    captions = model.embed_captions([caption, caption.encode(), "another"] * 9, threads=3)
    assert images.shape == (3, model.dimension) and images.dtype == np.float32
    assert (images[0] == images[1]).all() and (images[0] == images[2]).all()
    assert captions.shape == (27, model.dimension) and (captions[0] == captions[1]).all()
    assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    assert (model.embed_captions([caption])[0] == captions[0]).all()
    # Summed in order, as the gate does, it is the score.
    score = np.float32(0)
    for a, b in zip(images[0], captions[0], strict=True):
        score += a * b
    assert float(score) == Gate()(image, caption).score
    assert model.embed_images([]).shape == (0, model.dimension)
    with pytest.raises(ValueError, match=r"images\[1\]: image_truncated"):
        model.embed_images([image, image[:-200]])
    with pytest.raises(ValueError, match=r"images\[0\]: image_missing"):
        model.embed_images([None])
    with pytest.raises(ValueError, match=r"captions\[2\]: caption_missing"):
        model.embed_captions(["a", "b", None])
    with pytest.raises(TypeError, match=r"captions\[0\]"):
        model.embed_captions([3])


def test_a_decision_shows_itself(gate, ball):
    image, caption = ball
    kept, rejected, failed = gate(image, caption), gate(image, "ball"), gate(None, caption)
    assert repr(kept).startswith("<Decision kept score=0.30212396 threshold=-0.0618 uid=3b593c47")
    assert "caption_too_few_words" in repr(rejected) and "\n" not in repr(failed)
    assert "<b" in kept._repr_html_() and "image_missing" in failed._repr_html_()
    assert rejected.broken_rules == ("caption_too_few_words", "caption_too_short")
    assert kept == gate(image, caption) and kept != rejected
    with pytest.raises(AttributeError):
        kept.kept = False
    with pytest.raises(TypeError):
        Decision()
