"""The lecture's questions, one module an experiment; `python -m experiments list` shows them."""
