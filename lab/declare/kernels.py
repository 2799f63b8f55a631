"""Kernels that the lecture's slides print."""

EDGES = ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))
SHARPEN = ((0, -1, 0), (-1, 5, -1), (0, -1, 0))
DOWN = ((1, 0), (0, 1))  # \, the template of the slide "Свертка похожа на корреляцию с шаблоном"
