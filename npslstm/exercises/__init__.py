"""Exercises: write the lines of an LSTM, and see which is wrong. See README.md in this folder."""
