"""Parts of ``adding.py``: the networks that are compared."""
