"""Small LSTMs in the styles in which people write them, with what the check needs below each."""

from pathlib import Path
from types import ModuleType


def load(name, *changes):
    """Run a file of this folder with some of its text changed, each (old, new) in one place."""
    path = Path(__file__).parent / f"{name}.py"
    source = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert source.count(old) == 1, f"{name}: {source.count(old)} times: {old}"
        source = source.replace(old, new)
    module = ModuleType(name)
    exec(compile(source, path, "exec"), vars(module))
    return module
