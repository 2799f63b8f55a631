"""The demo page: draw, and look inside a trained network (slide "Демо: визуализация обученной сети для MNIST").

python -m demo      # serves the page on 127.0.0.1 and prints its URL
"""
