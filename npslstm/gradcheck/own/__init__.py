"""Your own LSTM: bring it along, find its layout, name its mistake."""
