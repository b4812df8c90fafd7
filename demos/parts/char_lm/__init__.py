"""Parts of ``char_lm.py``: the model, what it is compared with, a page of its cells."""
