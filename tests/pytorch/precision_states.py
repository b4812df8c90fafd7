"""What test_torch_parity.py runs: float32's precision, chosen anew in one process after the other.

For every way to choose less than full precision a child process chooses it, enters and leaves
``full_precision``, and compares. What is wrong is printed, and the number of ways on stderr.
"""

import contextlib
import os
import sys

OLD_WAYS = [
    "pass",
    "backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32 = True",
    "backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32 = False",
    "torch.set_float32_matmul_precision('high')",
    "torch.set_float32_matmul_precision('medium')",
]
NEW_WAYS = [  # since PyTorch 2.9
    *(f"backends{where}.fp32_precision = {how!r}"
      for where in ("", ".cudnn", ".cudnn.rnn", ".cuda.matmul") for how in ("tf32", "ieee")),
    *(f"backends.mkldnn{where}.fp32_precision = 'bf16'" for where in ("", ".matmul", ".rnn")),
]  # fmt: skip
OLD_SETTINGS = [
    "backends.cudnn.allow_tf32",
    "backends.cuda.matmul.allow_tf32",
    "torch.get_float32_matmul_precision()",
]
NEW_SETTINGS = [
    f"backends{name}.fp32_precision"
    for name in ("", ".cuda.matmul", ".cudnn", ".cudnn.rnn", ".mkldnn.matmul", ".mkldnn.rnn")
]


def settings(torch, names):
    found = {}
    for name in names:
        with contextlib.suppress(RuntimeError, AttributeError):  # unreadable, or older PyTorch
            found[name] = eval(name, {"torch": torch, "backends": torch.backends})
    return found


def check(torch, full_precision, way):
    exec(way, {"torch": torch, "backends": torch.backends})
    before = settings(torch, OLD_SETTINGS + NEW_SETTINGS)
    with contextlib.suppress(KeyError), full_precision():
        old, new = settings(torch, OLD_SETTINGS), settings(torch, NEW_SETTINGS)
        raise KeyError
    assert set(old.values()) <= {False, "highest"}, old
    assert {v for name, v in new.items() if "matmul" in name or "rnn" in name} <= {"ieee"}, new
    after = settings(torch, OLD_SETTINGS + NEW_SETTINGS)
    assert after == before, (before, after)


def main():
    from npslstm.torch_parity import full_precision, import_torch

    torch = import_torch()
    newer = hasattr(torch.backends.cuda.matmul, "fp32_precision")
    ways = OLD_WAYS + (NEW_WAYS if newer else [])
    for way in ways:
        child = os.fork()
        if child == 0:
            try:
                check(torch, full_precision, way)
            except BaseException as error:
                print(f"{way}: {error!r}", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    print(len(ways), file=sys.stderr)


if __name__ == "__main__":
    main()
