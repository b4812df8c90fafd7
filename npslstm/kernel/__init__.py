"""The LSTM run fast: a layer over whole sequences. See README.md in this folder."""
