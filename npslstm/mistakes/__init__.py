"""Seeded mistakes, for the checks to catch. README.md in this folder has the table."""

from .table import MISTAKES, Mistake, mistake

__all__ = ["MISTAKES", "Mistake", "mistake"]
