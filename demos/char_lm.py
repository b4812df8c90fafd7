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

from parts import program  # isort: skip  (before NumPy)

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from parts import options
from parts.char_lm.baselines import compressor_bits, ngram_bits
from parts.char_lm.cells import cell_values, find_cells, page, report, terminal_view
from parts.char_lm.model import CharLM
from parts.char_lm.picture import plot
from parts.char_lm.training import CONTEXT, Corpus, Curve, held_out_bits, make_session, train
from parts.plotting import have_matplotlib
from parts.session import Session
from parts.written import say_written, write

from npslstm.optim import Adam

TEXT = Path(__file__).parent / "data" / "persuasion.txt"
MAX_ORDER = 5  # of the n-gram models; more only costs time, see the order that is printed as best
STUDIED = 20_000  # characters in which to look for what cells follow
SHOWN, PRINTED = 2_500, 1_000  # of which so many are on the page, and on the terminal
WRITTEN = 400  # characters of the sample


warmth = options.number(float, "a number from 10⁻⁶ to 10⁶", lambda x: 1e-6 <= x <= 1e6)


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
        write(args.page, document.encode())


def parse(argv: list[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Read the options; the parser comes along to report what is found wrong later."""
    parser = program.parser(__doc__)
    add, whole = parser.add_argument, options.whole
    add("--text", metavar="FILE", type=Path, default=TEXT, help="UTF-8 text (Persuasion)")
    part = "part of it to test on (0.1)"
    add("--held-out", metavar="PART", type=options.fraction, default=0.1, help=part)
    add("--hidden", metavar="H", type=options.units, default=192, help="cells of a layer (192)")
    add("--layers", metavar="L", type=options.layers, default=1, help="layers (1)")
    add("--epochs", metavar="E", type=options.count, default=6, help="passes over the text (6)")
    add("--batch", metavar="N", type=options.count, default=8, help="lanes side by side (8)")
    add("--steps", metavar="T", type=options.count, default=50, help="the gradient goes back (50)")
    rate = "highest learning rate (0.007)"
    add("--lr", metavar="RATE", type=options.positive, default=0.007, help=rate)
    add("--seed", type=options.seed, default=0, help="of the first weights and the sample (0)")
    written = f"characters to write ({WRITTEN})"
    add("--sample", metavar="COUNT", type=whole(0, 1_000_000), help=written)
    temperature = "of the sample: below 1 safer, above 1 bolder (0.8)"
    add("--temperature", metavar="X", type=warmth, default=0.8, help=temperature)
    saved = "save model, alphabet and all that training needs there, every epoch (.npz)"
    add("--save", metavar="PATH", type=options.output, help=saved)
    add("--save-every", metavar="N", type=options.count, help="and every N steps")
    add("--resume", action="store_true", help="go on from --save, to the last bit")
    add("--load", metavar="PATH", type=Path, help="use a saved model; keep --text, --held-out")
    add("--cell", metavar="K", type=options.index, help="colour held-out text by cell K")
    looked = "save a page that does so for any cell (.html)"
    add("--page", metavar="PATH", type=options.output, help=looked)
    add("--plot", metavar="PATH", type=options.picture, help="save the learning curve there")
    args = parser.parse_args(argv)
    if (args.resume or args.save_every) and not args.save:
        parser.error(f"--{'resume' if args.resume else 'save-every'} needs --save PATH")
    for name in "plot", "save":
        if args.load and getattr(args, name):
            parser.error(f"--{name}: is of the training, and with --load there is none")
    return parser, args


def prepare(args: argparse.Namespace) -> tuple[Corpus, CharLM]:
    """Read the text and make or load the model.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, or text, model and options do not fit together.
    """
    try:
        text = args.text.read_text(encoding="utf-8-sig")  # a mark at its start is no character
    except UnicodeDecodeError as error:
        raise ValueError(f"{args.text}: expected text in UTF-8; {error}") from error
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


@program.script
def main(argv: list[str] | None = None) -> None:
    """Read the text; train, or load; compare, write and look inside."""
    parser, args = parse(argv)
    try:
        corpus, lm = prepare(args)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for path in (args.save, args.page):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
    parameters = sum(param.size for param in lm.model.params.values())
    held_out = f"{len(corpus.text) - corpus.cut:,} held-out characters"
    print(f"{corpus.name}: {corpus.cut:,} characters to learn from, {held_out}")
    print(f"{len(lm.alphabet)} different characters; LSTM with {parameters:,} parameters")
    looking = args.cell is not None or args.page
    if args.load and looking and args.sample is None:  # there is nothing to wait for
        look_inside(lm, corpus, args)
        return
    with make_session(lm, corpus, args) as session:
        run(corpus, lm, args, session)


def run(corpus: Corpus, lm: CharLM, args: argparse.Namespace, session: Session) -> None:
    """Train the model unless it was loaded, compare it, let it write, and look inside."""
    drawing = args.plot and have_matplotlib()
    optimizer = Adam()
    start, said = session.begin(lm.model, optimizer, args.seed)
    print(f"saved in {said}\n" if said else "", flush=True)
    curve = Curve([], [], [], [])
    if not args.load:
        curve = train(lm, optimizer, corpus, args, session, start)
    if args.save:
        say_written(args.save)

    others = baselines(corpus, len(lm.alphabet))
    bits = {"LSTM": held_out_bits(lm, corpus), **others}
    ranking = sorted(bits, key=bits.__getitem__)
    characters = f"{len(corpus.text) - corpus.cut:,} held-out characters"
    print(f"\nbits per character of the {characters}, the best first")
    print("\n".join(f"{bits[name]:7.3f}  {name}" for name in ranking))
    start_text = corpus.known[-CONTEXT:]
    start_text = start_text[: start_text.rfind("\n") + 1] or start_text
    length = WRITTEN if args.sample is None else args.sample
    written = lm.sample(length, args.temperature, args.seed, start_text)
    print(f"\n{length} characters written at temperature {args.temperature}\n\n{written}")
    if args.cell is not None or args.page:
        look_inside(lm, corpus, args)
    if drawing and curve.ends:
        plot(curve, others, args.plot)
    elif drawing:
        print("nothing was left to learn, so there is no curve to draw")


if __name__ == "__main__":
    sys.exit(main())
