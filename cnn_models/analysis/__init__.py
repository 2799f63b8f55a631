"""Receptive field, parameters and multiply-accumulates of any Keras model."""
