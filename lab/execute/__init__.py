"""Engines that execute runs: in this process, in worker processes, on several hosts together, on a Ray cluster."""
