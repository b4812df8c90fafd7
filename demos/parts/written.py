"""What the demos write: a file is whole or as it was, and a line says where it is."""

from __future__ import annotations

from pathlib import Path

from npslstm.files import replacing

__all__ = ["say_written", "write"]


def write(path: Path, content: bytes) -> None:
    """Write the file, the whole of it or nothing, and say so; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)
    say_written(path)


def say_written(path: Path) -> None:
    """Print a file's path and size."""
    print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")
