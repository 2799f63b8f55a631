"""The machinery that experiments share; one room a concern, and the data flow one way."""
