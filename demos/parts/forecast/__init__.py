"""Parts of ``forecast.py``: the ways to forecast."""
