"""Which kernels OpenBLAS runs, asked of itself; products are cut only where that pays."""

from __future__ import annotations

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
from demo_runs import environment
from threadpoolctl import threadpool_info

from npslstm.kernel import blas, products

OPENBLAS = [p["architecture"] for p in threadpool_info() if p["internal_api"] == "openblas"]
needs_openblas = pytest.mark.skipif(not OPENBLAS, reason="NumPy has another BLAS here")


@needs_openblas
def test_openblas_is_asked_for_its_kernels():
    assert blas.kernels() == OPENBLAS[0]


@needs_openblas
def test_each_library_knows_them_by_itself(monkeypatch):
    for library in list(blas._libraries()):
        monkeypatch.setattr(blas, "_libraries", lambda library=library: [library])
        assert blas.kernels() == OPENBLAS[0]


def test_where_nothing_can_be_asked_products_stay_whole(monkeypatch):
    monkeypatch.setattr(blas, "_libraries", list)
    assert blas.kernels() == ""
    assert blas.largest_unpacked() == 0


@pytest.mark.parametrize(
    ("kernels", "parts"),
    [("SkylakeX", 2), ("Cooperlake", 2), ("SapphireRapids", 2), ("Haswell", 1), ("Zen", 1)],
)
def test_products_are_cut_where_openblas_does_not_pack(monkeypatch, kernels, parts):
    monkeypatch.setattr(blas, "kernels", lambda: kernels)
    monkeypatch.setattr(products, "UNPACKED", blas.largest_unpacked())
    rows = products.split_rows(128, 100, 128)  # 1.6 million multiplications
    assert rows == ((2, 64) if parts == 2 else (128,))


@needs_openblas
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="Haswell is x86-64")
def test_other_kernels_are_another_choice():
    """Those that nearly every x86-64 CPU runs, in a process of their own."""
    program = "from npslstm.kernel import blas, products; print(blas.kernels(), products.UNPACKED)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment() | {"OPENBLAS_CORETYPE": "Haswell"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["Haswell", "0"]


def library(answer):
    """A library whose OpenBLAS answers so."""
    return SimpleNamespace(openblas_get_corename=lambda: answer)


@pytest.mark.parametrize("answer", [None, b"\xff"], ids=["nothing", "not UTF-8"])
def test_an_answer_without_sense_is_none(monkeypatch, answer):
    monkeypatch.setattr(blas, "_libraries", lambda: [library(b"Zen")])
    assert blas.kernels() == "Zen"
    monkeypatch.setattr(blas, "_libraries", lambda: [library(answer)])
    assert blas.kernels() == ""


def test_a_python_without_ctypes_has_npslstm_all_the_same():
    program = (
        "import sys; sys.modules['_ctypes'] = None\n"
        "from npslstm.kernel import blas, products; print([blas.kernels()], products.UNPACKED)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["['']", "0"]
