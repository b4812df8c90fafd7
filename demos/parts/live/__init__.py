"""The page of ``live.py``: its parts, and how they become one file."""
