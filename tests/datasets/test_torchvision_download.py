"""The real torchvision: it reads our files as we do, and a download through it is whole or nothing.

No network is used: torchvision's list of mirrors is pointed at a server inside the test.
"""

from __future__ import annotations

import functools
import gc
import gzip
import http.server
import threading

import numpy as np
import pytest
from idx_files import (
    assert_download_refused,
    assert_holds,
    md5_sums,
    needs_originals,
    unzip_originals,
    write_mnist,
)

from npslstm import datasets
from npslstm.datasets import DataError, as_sequences, load_mnist

pytestmark = [
    pytest.mark.torchvision,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # urllib's errors hold sockets
]


@pytest.fixture
def vision(request):
    try:
        import torchvision
    except ModuleNotFoundError:
        if request.config.getoption("--torchvision"):
            raise
        pytest.skip("torchvision is not installed: python -m pip install torchvision")
    yield torchvision
    gc.collect()  # those sockets are to be closed here, not in a test that makes a warning an error


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and hangs up half-way through a file whose name is in `cut`."""

    cut: tuple[str, ...] = ()

    def copyfile(self, source, outputfile):
        content = source.read()
        hang_up = self.path.rpartition("/")[2] in self.cut
        outputfile.write(content[: len(content) // 2] if hang_up else content)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch, vision):
    """A mirror of a small data set, whose checksums stand for the originals', there and here."""
    arrays, files = write_mnist(tmp_path / "mirror", gz=True)
    for path in files.values():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    published = md5_sums(files)
    monkeypatch.setattr(vision.datasets.MNIST, "resources", list(published.items()))
    plain = {name: path.with_suffix("") for name, path in files.items()}
    monkeypatch.setattr(datasets.mnist, "_MD5", md5_sums(plain))

    folder = files["train-images-idx3-ubyte"].parent
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(vision.datasets.MNIST, "mirrors", [url])
        monkeypatch.setenv("no_proxy", "*")
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield arrays, files
        server.shutdown()


def assert_equal_to_torchvision(vision, root, mnist):
    for train, images, labels in ((True, *mnist[:2]), (False, *mnist[2:4])):
        theirs = vision.datasets.MNIST(root, train=train)
        np.testing.assert_array_equal(theirs.data.numpy(), images, strict=True)
        np.testing.assert_array_equal(theirs.targets.numpy(), labels, strict=True)


@needs_originals
def test_torchvision_reads_the_same_originals(tmp_path, vision):
    unzip_originals(tmp_path)
    assert_equal_to_torchvision(vision, tmp_path, load_mnist(tmp_path))


def test_our_checksums_are_those_that_torchvision_holds(vision):
    for name, md5 in vision.datasets.MNIST.resources:
        assert datasets.mnist._MD5[name] == md5, name


def test_pixels_are_scaled_as_to_tensor_scales_them(vision):
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)  # every value from 0 to 255
    tensor = vision.transforms.functional.to_tensor(image[..., None])
    np.testing.assert_array_equal(as_sequences(image[None]), tensor.numpy(), strict=True)


def test_a_download_arrives_whole(tmp_path, vision, mirror):
    arrays, files = mirror
    root = tmp_path / "root"
    mnist = load_mnist(root, download=True)
    assert_holds(mnist, arrays)
    assert_equal_to_torchvision(vision, root, mnist)
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert {path.name for path in (root / "MNIST" / "raw").iterdir()} == set(files)


def hang_up(path, monkeypatch):
    monkeypatch.setattr(Handler, "cut", (path.name,))


def flip_a_bit(path, monkeypatch):
    content = bytearray(path.read_bytes())
    content[-20] ^= 4
    path.write_bytes(content)


def remove(path, monkeypatch):
    path.unlink()


@pytest.mark.parametrize("accident", [hang_up, flip_a_bit, remove])
def test_a_failed_download_leaves_nothing(tmp_path, mirror, monkeypatch, accident):
    _, files = mirror
    accident(files["t10k-labels-idx1-ubyte"], monkeypatch)  # the last: others have arrived
    assert_download_refused(tmp_path / "root")


def test_offline_is_one_clear_line(tmp_path, vision, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.datasets.MNIST, "mirrors", ["http://127.0.0.1:1/"])
    assert_download_refused(tmp_path / "root")


def test_torchvision_trusts_a_cut_off_file_and_we_do_not(tmp_path, vision, mirror):
    """This is why it may not write into the folder itself."""
    root = tmp_path / "root"
    load_mnist(root, download=True)
    path = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    vision.datasets.MNIST(root, download=True)
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte: wrong checksum"):
        load_mnist(root, download=True)
