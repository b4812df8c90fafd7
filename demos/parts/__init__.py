"""Helpers of the demos: what they draw with, and the threads they run on."""
