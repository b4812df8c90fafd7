"""CharLM: an ``LSTMModel`` with the alphabet that it reads and writes.

Shapes: ids ``(T,)`` for one text or ``(T, N)`` for N of them side by side, logits ``(..., K)``,
where K is the number of characters in the alphabet.
"""

from __future__ import annotations

import json

import numpy as np

from npslstm import LSTMModel, cross_entropy
from npslstm.arguments import check_like
from npslstm.checkpoint import CheckpointError, load_checkpoint
from npslstm.files import Blank, open_npz, write_npz

__all__ = ["CharLM", "lanes"]

WINDOW = 2000  # characters read at once where nothing is learnt


class CharLM:
    """A model of text, which says after every character how probable each next one is.

    Parameters
    ----------
    alphabet : str
        The characters, each once, in the order of their code points.
    model : LSTMModel
        With D = K = ``len(alphabet)`` and readout "all".
    """

    def __init__(self, alphabet: str, model: LSTMModel) -> None:
        if len(set(alphabet)) < len(alphabet):
            raise ValueError(f"alphabet: expected each character once, given {alphabet!r}")
        sizes = model.config["input_size"], model.config["output_size"]
        if sizes != (len(alphabet), len(alphabet)) or model.readout != "all":
            raise ValueError(
                f"model: expected input and output size {len(alphabet)} and readout 'all', "
                f"given {sizes} and {model.readout!r}"
            )
        self.alphabet = alphabet
        self.model = model
        # √K makes the mean square of an input 1, like that of any standardised input. With the
        # usual one-hot of 0 and 1 the first epoch is lost before the model notices what it reads.
        self._one = len(alphabet) ** 0.5

    @classmethod
    def new(cls, alphabet: str, hidden: int, layers: int, seed: int) -> CharLM:
        """Make a model that has learnt nothing yet.

        Its forget bias is 0. That of 1, usual where memories must last, costs 0.09 bits a character
        after three epochs of ``char_lm.py``: here most of what was read is soon better forgotten.
        """
        size = len(alphabet)
        model = LSTMModel(size, hidden, size, layers, readout="all", rng=seed)
        return cls(alphabet, model)

    def encode(self, text: str) -> np.ndarray:
        """Return the place of each character in the alphabet.

        Raises
        ------
        ValueError
            If a character is not there.
        """
        places = {character: place for place, character in enumerate(self.alphabet)}
        unknown = set(text) - places.keys()
        if unknown:
            raise ValueError(f"characters unknown to the model: {''.join(sorted(unknown))!r}")
        return np.array([places[character] for character in text], np.int64)

    def inputs(self, ids: np.ndarray) -> np.ndarray:
        """Return what the LSTM reads: ids as one-hot vectors of length √K."""
        x = np.zeros((*ids.shape, len(self.alphabet)), self.model.lstm.dtype)
        np.put_along_axis(x, ids[..., None], self._one, axis=-1)
        return x

    def read(self, ids: np.ndarray, state=None):
        """Return the logits after each character, and the state after the last."""
        return self.model(self.inputs(ids), state)

    def bits_per_character(self, ids: np.ndarray, state=None) -> float:
        """Return the mean of -log₂ p over ids[1:], each predicted from all that stands before it.

        The text is read in windows, and the state is carried from each to the next.
        """
        nats = 0.0
        for start in range(0, len(ids) - 1, WINDOW):
            window = ids[start : start + WINDOW + 1]
            logits, state = self.read(window[:-1], state)
            nats += float(cross_entropy(logits, window[1:])[0]) * (len(window) - 1)
        return nats / (len(ids) - 1) / np.log(2)

    def sample(self, length: int, temperature: float, seed: int, start: str) -> str:
        """Write ``length`` characters after ``start``, drawn from softmax(logits / temperature)."""
        rng = np.random.default_rng(seed)
        logits, state = self.read(self.encode(start))
        written = []
        for _ in range(length):
            z = logits[-1].astype(np.float64)
            p = np.exp((z - z.max()) / temperature)
            written.append(rng.choice(len(p), p=p / p.sum()))
            logits, state = self.read(np.array(written[-1:]), state)
        return "".join(self.alphabet[place] for place in written)

    def save(self, path) -> None:
        """Write the weights and the alphabet to one file: either is worthless without the other."""
        arrays = {
            "alphabet": np.array([ord(character) for character in self.alphabet], np.int64),
            "config": np.array(json.dumps(self.model.config)),
            **self.model.params,
        }
        write_npz(path, arrays)

    @classmethod
    def load(cls, path) -> CharLM:
        """Make the model that :meth:`save` wrote, or that is in a checkpoint of ``char_lm.py``.

        Raises
        ------
        CheckpointError
            If the file is damaged, or holds another thing than a CharLM.
        """
        with open_npz(path, "a model of char_lm.py") as file:
            if "format_version" not in file.headers:
                alphabet = "".join(map(chr, file.read("alphabet").tolist()))
                return cls(alphabet, file.read_model(LSTMModel, beside=["alphabet"]))
        checkpoint = load_checkpoint(path)
        alphabet, params = checkpoint.config.get("alphabet"), checkpoint.params
        weight = params.get("lstm.weight_hh_l0")
        if not isinstance(alphabet, str) or weight is None or weight.ndim != 2:
            raise CheckpointError(path, "a checkpoint, but not of char_lm.py")
        layers = sum(name.startswith("lstm.weight_hh") for name in params)
        sizes = len(alphabet), weight.shape[1], len(alphabet), layers
        try:
            check_like("params", params, LSTMModel(*sizes, readout="all", rng=Blank()).params)
            lm = cls(alphabet, LSTMModel(*sizes, readout="all", rng=0))
        except (TypeError, ValueError) as error:
            raise CheckpointError(path, f"no model of char_lm.py: {error}") from error
        lm.model.load_params(params)
        return lm


def lanes(ids: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut ids into ``batch`` lanes: inputs (T, N) and, one character further on, targets (T, N)."""
    length = (len(ids) - 1) // batch
    cut = [ids[shift : shift + batch * length].reshape(batch, length).T for shift in (0, 1)]
    return cut[0], cut[1]
