"""What the demos' pages share: their look, their colours, and how a page becomes one file."""
