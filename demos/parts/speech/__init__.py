"""Parts of ``speech.py``: the recordings, those who listen, and the pictures."""
