"""An LSTM's weights as other frameworks hold them, there and back. README.md here: the traps.

* ``keras.py``: the arrays of ``keras.layers.LSTM``;
* ``onnx_arrays.py``: the arrays of ONNX's LSTM operator;
* ``export.py``: a whole model as one file that ONNX runtimes run; needs the package ``onnx``;
* ``stack.py``: what both ways share: layers that must follow each other.

PyTorch needs no conversion: ``lstm.params`` has its names and shapes (``npslstm.pytorch``).
"""

from .export import export_onnx, import_onnx
from .keras import from_keras, to_keras
from .onnx_arrays import from_onnx, to_onnx

__all__ = ["export_onnx", "from_keras", "from_onnx", "import_onnx", "to_keras", "to_onnx"]
