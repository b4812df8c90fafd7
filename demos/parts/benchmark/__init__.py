"""Parts of ``benchmark.py``."""
