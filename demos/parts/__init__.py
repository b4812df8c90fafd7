"""Helpers of the demos.

A new demo becomes a program by these lines, the first of them before NumPy::

    from parts import program  # isort: skip  (before NumPy)

    @program.script
    def main(argv=None):
        parser = program.parser(__doc__)
        parser.add_argument("--hidden", type=options.units, default=64)
        parser.add_argument("--plot", type=options.picture, metavar="PATH")
        ...

    if __name__ == "__main__":
        sys.exit(main())

Then it has one BLAS thread unless the user wants more, prints in every encoding, ends quietly where
its reader does (``| head``), and answers Ctrl-C, and what can be expected to fail, with one line
and a status. ``options.py`` has types for options, which refuse at once what would fail late;
``session.py`` saves what was learnt, resumes, and makes Ctrl-C wait for the end of a step. The
tests find a new demo by themselves; they need one line, how it runs in a second, in
``tests/helpers/tiny_demos.py``.
"""
