"""`load_mnist(download=True)` with a stand-in for torchvision: all four files arrive, or none."""

from __future__ import annotations

import http.client
import shutil
import sys
import types
import urllib.error
from pathlib import Path

import pytest
from idx_files import assert_download_refused, assert_holds, md5_sums, write_mnist

from npslstm import datasets
from npslstm.datasets import DataError, load_mnist


@pytest.fixture
def server(tmp_path, monkeypatch):
    """What torchvision would fetch, with its checksums taken as the originals'."""
    arrays, files = write_mnist(tmp_path / "server", gz=False)
    monkeypatch.setattr(datasets.mnist, "_MD5", md5_sums(files))
    return types.SimpleNamespace(arrays=arrays, folder=files["t10k-labels-idx1-ubyte"].parent)


@pytest.fixture
def torchvision(monkeypatch):
    """Call it with a function of the folder to fill: torchvision.datasets.MNIST's stand-in."""

    def install(fetch):
        def mnist(root, *, download):
            assert download
            raw = Path(root) / "MNIST" / "raw"
            raw.mkdir(parents=True)
            fetch(raw)

        package = types.ModuleType("torchvision")
        package.datasets = types.SimpleNamespace(MNIST=mnist)
        monkeypatch.setitem(sys.modules, "torchvision", package)

    return install


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_download_brings_the_four_files_and_nothing_else(tmp_path, server, torchvision):
    torchvision(lambda raw: shutil.copytree(server.folder, raw, dirs_exist_ok=True))
    root = tmp_path / "new" / "root"
    assert_holds(load_mnist(root, download=True), server.arrays)
    assert contents(root) == contents(server.folder.parents[1])
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    torchvision(lambda raw: pytest.fail("fetched again"))
    load_mnist(root, download=True)


def test_a_download_leaves_files_that_are_there_alone(tmp_path, server, torchvision):
    torchvision(lambda raw: shutil.copytree(server.folder, raw, dirs_exist_ok=True))
    root = tmp_path / "root"
    own = root / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: wrong checksum"):
        load_mnist(root, download=True)
    assert own.read_bytes() == b"mine"


def half(server, raw):
    shutil.copytree(server.folder, raw, dirs_exist_ok=True)
    path = raw / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        RuntimeError("Error downloading a file:\nTried a mirror, got:\nHTTP Error 404\n"),
        http.client.IncompleteRead(b"", 10),
        ConnectionResetError("Connection reset by peer"),
        OSError("No space left on device"),
        EOFError("Compressed file ended before the end-of-stream marker was reached"),
        None,
    ],
)
def test_a_failed_download_leaves_nothing_and_says_why(tmp_path, server, torchvision, error):
    def fetch(raw):
        half(server, raw)
        if error is not None:
            raise error

    torchvision(fetch)
    reason = " ".join(str(error).split()) if error else "wrong checksum"
    assert_download_refused(tmp_path / "root", reason)


def test_a_download_that_is_interrupted_leaves_nothing(tmp_path, server, torchvision):
    def fetch(raw):
        half(server, raw)
        raise KeyboardInterrupt

    torchvision(fetch)
    with pytest.raises(KeyboardInterrupt):
        load_mnist(tmp_path / "root", download=True)
    assert not any((tmp_path / "root").iterdir())


def test_without_torchvision_a_download_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError) as refused:
        load_mnist(tmp_path / "root", download=True)
    assert 'pip install "npslstm[data]"' in str(refused.value)
    assert "load_embedded()" in str(refused.value)
    assert not (tmp_path / "root").exists()
    arrays, _ = write_mnist(tmp_path, gz=True)
    assert_holds(load_mnist(tmp_path, download=True, verify=False), arrays)  # nothing to fetch
