"""Parts of ``mnist.py``: options, sessions that can be resumed, pictures, PyTorch."""
