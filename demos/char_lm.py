"""A character-level language model: what an LSTM learns of a novel in a few minutes.

    python demos/char_lm.py
    python demos/char_lm.py --save austen.npz --page cells.html --plot curve.png
    python demos/char_lm.py --load austen.npz --sample 1000 --temperature 0.7
    python demos/char_lm.py --load austen.npz --cell 17

The model reads Jane Austen's Persuasion (or --text FILE), one character after the other, and says
after each how probable every next one is. It learns by truncated backpropagation through time: the
text lies in --batch long lanes, side by side; --steps characters of each are read and learnt from,
and the state they end in is where the next --steps begin, so memory reaches further back than the
gradient does.

It is judged by the bits per character on the last part of the text, which it has not seen, beside
models that only count (those of order n, what came after the same n characters before) and beside
compressors. For a look inside, --cell and --page colour that part by what one memory cell holds.
"""

from __future__ import annotations

from parts import threads  # isort: skip  # noqa: F401  (before NumPy)

import argparse
import itertools
import math
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from parts.char_lm.baselines import compressor_bits, ngram_bits
from parts.char_lm.cells import cell_values, find_cells, page, report, terminal_view
from parts.char_lm.model import CharLM, lanes
from parts.plotting import PALETTE, figure, have_matplotlib, progress, save

from npslstm.files import replacing
from npslstm.optim import Adam
from npslstm.training import NonFiniteError, training_steps
from npslstm.training.learning_rate import one_cycle

TEXT = Path(__file__).parent / "data" / "persuasion.txt"
MAX_ORDER = 5  # of the n-gram models; more only costs time, see the order that is printed as best
CONTEXT = 500  # characters read before the held-out part, a sample or a picture begins
STUDIED = 20_000  # characters in which to look for what cells follow
SHOWN, PRINTED = 2_500, 1_000  # of which so many are on the page, and on the terminal


class Corpus(NamedTuple):
    """A text, and the place where its held-out part begins."""

    name: str
    text: str
    cut: int

    @property
    def known(self) -> str:
        """The part to learn from."""
        return self.text[: self.cut]


class Epoch(NamedTuple):
    """What one pass over the text came to."""

    characters: int  # read since training began
    window_bits: np.ndarray  # per character, while learning from each window
    held_out_bits: float


def train(lm: CharLM, corpus: Corpus, args: argparse.Namespace) -> list[Epoch]:
    """Train ``lm`` in place and print how it goes."""
    x, y = lanes(lm.encode(corpus.known), args.batch)
    windows = math.ceil(len(x) / args.steps)
    records = training_steps(
        lm.model,
        x.T,  # a lane is an example
        y.T,
        optimizer=Adam(),
        epochs=args.epochs,
        batch_size=args.batch,
        window=args.steps,  # and the state goes from each to the next
        schedule=one_cycle(args.lr, args.epochs * windows, pct_start=0.1),
        max_norm=1.0,
        transform=lm.inputs,
    )
    print("epoch  bits per character: training  held out")
    epochs: list[Epoch] = []
    for number in range(1, args.epochs + 1):
        label = f"epoch {number} of {args.epochs}"
        epoch = progress(itertools.islice(records, windows), label, windows)
        bits = np.array([record.loss for record in epoch]) / math.log(2)
        with np.errstate(over="ignore", invalid="ignore"):  # the error says more
            epochs.append(Epoch(number * x.size, bits, held_out_bits(lm, corpus)))
        if not math.isfinite(epochs[-1].held_out_bits):
            reason = f"the held-out text takes {epochs[-1].held_out_bits} bits a character"
            raise NonFiniteError(number * windows, None, reason)
        print(f"{number:5}{bits.mean():32.3f}{epochs[-1].held_out_bits:10.3f}", flush=True)
    return epochs


def held_out_bits(lm: CharLM, corpus: Corpus) -> float:
    """Return the bits per character from ``cut`` on, read after the text before it."""
    begin = max(0, corpus.cut - 1 - CONTEXT)
    ids = lm.encode(corpus.text[begin:])
    _, state = lm.read(ids[: corpus.cut - 1 - begin])
    return lm.bits_per_character(ids[corpus.cut - 1 - begin :], state)


def baselines(corpus: Corpus, alphabet_size: int) -> dict[str, float]:
    """Return the bits per character of what the model has to beat."""
    orders = ngram_bits(corpus.text, corpus.cut, MAX_ORDER, alphabet_size)
    best = int(np.argmin(orders))
    remark = {best: f", best of 0 to {MAX_ORDER}"}
    counts = {f"order-{n} counts{remark.get(n, '')}": orders[n] for n in sorted({0, 2, best})}
    return counts | compressor_bits(corpus.text, corpus.cut)


def look_inside(lm: CharLM, corpus: Corpus, args: argparse.Namespace) -> None:
    """Show single cells at work on the held-out part, from its first whole paragraph on."""
    paragraph = corpus.text.find("\n\n", corpus.cut, -CONTEXT)
    start = corpus.cut if paragraph < 0 else paragraph + 2
    begin = max(0, start - CONTEXT)
    values = cell_values(lm, lm.encode(corpus.text[begin : start + STUDIED]))[start - begin :]
    text = corpus.text[start : start + STUDIED]
    findings = find_cells(values, text)
    best = max(findings, key=lambda found: abs(found.correlation))
    cell = best.cell if args.cell is None else args.cell
    print(f"\nWhat single cells follow in {len(text):,} held-out characters, r the correlation\n")
    print(report(findings))
    if args.cell is not None:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        view = terminal_view(text[:PRINTED], values[:PRINTED, cell], colour=colour)
        print(f"\ncell {cell}\n{view}")
    if args.page:
        document = page(text[:SHOWN], values[:SHOWN], findings, corpus.name, cell)
        with replacing(args.page) as file:
            file.write(document.encode())
        print(f"wrote {args.page} ({args.page.stat().st_size / 1000:.0f} kB)")


def plot(epochs: list[Epoch], others: dict[str, float], path: str) -> None:
    """Draw the learning curve, with a line for each baseline."""
    fig, ax = figure(height=3.6)
    bits = np.concatenate([epoch.window_bits for epoch in epochs])
    read = np.linspace(0, epochs[-1].characters / 1e6, len(bits) + 1)[1:]
    width = max(1, len(bits) // 200)  # a point is the mean of so many windows
    blocks = [x[: len(x) // width * width].reshape(-1, width).mean(axis=1) for x in (read, bits)]
    ax.plot(*blocks, color=PALETTE["sky"], label="LSTM, on the text it learns from")
    held_out = [epoch.held_out_bits for epoch in epochs]
    at = [epoch.characters / 1e6 for epoch in epochs]
    ax.plot(at, held_out, "o-", color=PALETTE["blue"], label="LSTM, on held-out text")
    bottom = min(*others.values(), held_out[-1]) * 0.8
    top, label_at = max(*others.values(), held_out[0]) * 1.05, 0.0
    for name in sorted(others, key=others.__getitem__):
        ax.axhline(others[name], color=PALETTE["vermillion"], linestyle=":", linewidth=1)
        label_at = max(others[name], label_at + 0.06 * (top - bottom))  # close lines, labels apart
        ax.annotate(
            f"{others[name]:.2f} {name}",
            xy=(1, others[name]),
            xytext=(1.03, label_at),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "relpos": (0, 0.5)},
        )
    ax.set(
        xlabel="characters read (millions)", ylabel="bits per character", xlim=0, ylim=(bottom, top)
    )
    ax.legend(loc="upper right", bbox_to_anchor=(1, 0.9))
    save(fig, path)


def parse(argv: list[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Read the options; the parser comes along to report what is found wrong later."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", metavar="FILE", type=Path, default=TEXT, help="UTF-8 text (Persuasion)")
    add("--held-out", metavar="PART", type=float, default=0.1, help="part of it to test on (0.1)")
    add("--hidden", metavar="H", type=int, default=192, help="cells of a layer (192)")
    add("--layers", metavar="L", type=int, default=1, help="layers (1)")
    add("--epochs", metavar="E", type=int, default=6, help="passes over the text (6)")
    add("--batch", metavar="N", type=int, default=8, help="lanes of text side by side (8)")
    add("--steps", metavar="T", type=int, default=50, help="steps the gradient goes back (50)")
    add("--lr", metavar="RATE", type=float, default=0.007, help="highest learning rate (0.007)")
    add("--seed", type=int, default=0, help="of the first weights and of the sample (0)")
    add("--sample", metavar="COUNT", type=int, default=400, help="characters to write (400)")
    temperature = "of the sample: below 1 safer, above 1 bolder (0.8)"
    add("--temperature", metavar="X", type=float, default=0.8, help=temperature)
    add("--save", metavar="PATH", type=Path, help="save the model and its alphabet there (.npz)")
    add("--load", metavar="PATH", type=Path, help="use a saved model; keep --text, --held-out")
    add("--cell", metavar="K", type=int, help="colour held-out text by cell K, on the terminal")
    add("--page", metavar="PATH", type=Path, help="save a page that does so for any cell (.html)")
    add("--plot", metavar="PATH", help="save the learning curve there (.png, .svg)")
    args = parser.parse_args(argv)
    for name in ("hidden", "layers", "epochs", "batch", "steps"):
        if getattr(args, name) < 1:
            parser.error(f"--{name}: expected at least 1, given {getattr(args, name)}")
    for name in ("lr", "temperature"):
        if not getattr(args, name) > 0:
            parser.error(f"--{name}: expected above 0, given {getattr(args, name)}")
    if args.load and args.plot:
        parser.error("--plot: draws the training, and with --load there is none")
    return parser, args


def prepare(args: argparse.Namespace) -> tuple[Corpus, CharLM]:
    """Read the text and make or load the model.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, or text, model and options do not fit together.
    """
    text = args.text.read_text(encoding="utf-8")
    cut = round(len(text) * (1 - args.held_out))
    corpus = Corpus(args.text.name, text, cut)
    if not max(MAX_ORDER, args.batch) < cut < len(text):
        raise ValueError(f"too short: {cut} characters to learn from, {len(text) - cut} held out")
    if args.load:
        lm = CharLM.load(args.load)
    else:
        lm = CharLM.new("".join(sorted(set(text))), args.hidden, args.layers, args.seed)
    lm.encode(text)  # a model that was loaded may not know all of it
    cells = lm.model.lstm.num_layers * lm.model.lstm.hidden_size
    if args.cell is not None and not 0 <= args.cell < cells:
        raise ValueError(f"--cell: expected 0 to {cells - 1}, given {args.cell}")
    return corpus, lm


def main(argv: list[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    parser, args = parse(argv)
    try:
        corpus, lm = prepare(args)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        run(corpus, lm, args)
    except NonFiniteError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(corpus: Corpus, lm: CharLM, args: argparse.Namespace) -> None:
    """Train the model unless it was loaded, compare it, let it write, and look inside."""
    for path in (args.save, args.page):
        if path:  # found out now and not after the training
            path.parent.mkdir(parents=True, exist_ok=True)
    drawing = args.plot and have_matplotlib()

    parameters = sum(param.size for param in lm.model.params.values())
    held_out = f"{len(corpus.text) - corpus.cut:,} held-out characters"
    print(f"{corpus.name}: {corpus.cut:,} characters to learn from, {held_out}")
    print(f"{len(lm.alphabet)} different characters; LSTM with {parameters:,} parameters\n")
    others = baselines(corpus, len(lm.alphabet))
    epochs = [] if args.load else train(lm, corpus, args)
    if args.save:
        lm.save(args.save)
        print(f"wrote {args.save} ({args.save.stat().st_size / 1000:.0f} kB)")

    bits = {"LSTM": held_out_bits(lm, corpus), **others}
    ranking = sorted(bits, key=bits.__getitem__)
    print(f"\nbits per character of the {held_out}, the best first")
    print("\n".join(f"{bits[name]:7.3f}  {name}" for name in ranking))
    start = corpus.known[-CONTEXT:]
    start = start[: start.rfind("\n") + 1] or start
    written = lm.sample(args.sample, args.temperature, args.seed, start)
    print(f"\n{args.sample} characters written at temperature {args.temperature}\n\n{written}")
    if args.cell is not None or args.page:
        look_inside(lm, corpus, args)
    if drawing:
        plot(epochs, others, args.plot)


if __name__ == "__main__":
    sys.exit(main())
