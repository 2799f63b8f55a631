"""What other tools say of a network: `peer_tools.py TOOL NETWORK` prints parameters, MACs, receptive field, seconds.

It is run by `lab.bench.peers` in an environment that has the tools, and imports nothing of this suite.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

SIDE = 224  # pixels of the input
# Networks of torchvision, and of Keras, by what both call them.
TORCH = {
    "VGG16": "vgg16",
    "ResNet50": "resnet50",
    "MobileNetV2": "mobilenet_v2",
    "EfficientNetB0": "efficientnet_b0",
    "ViT-B/16": "vit_b_16",
}
Answer = dict[str, Any]


def torchinfo(network: Any) -> Answer:
    """Its sums over all layers."""
    from torchinfo import summary

    found = summary(network, (1, 3, SIDE, SIDE), verbose=0)
    return {"parameters": found.total_params, "macs": found.total_mult_adds}


def ptflops(network: Any) -> Answer:
    """Its count by PyTorch's dispatcher."""
    from ptflops import get_model_complexity_info

    macs, parameters = get_model_complexity_info(
        network, (3, SIDE, SIDE), as_strings=False, print_per_layer_stat=False, verbose=False
    )
    return {"parameters": parameters, "macs": macs}


def fvcore(network: Any) -> Answer:
    """Its count by tracing; what it calls FLOPs are MACs."""
    import torch
    from fvcore.nn import FlopCountAnalysis, parameter_count

    counted = FlopCountAnalysis(network, torch.zeros(1, 3, SIDE, SIDE))
    counted.unsupported_ops_warnings(False)
    return {"parameters": parameter_count(network)[""], "macs": counted.total()}


def torchscan(network: Any) -> Answer:
    """Its sums over all layers, and the receptive field of the last layer with one."""
    from torchscan import crawl_module

    found = crawl_module(network, (3, SIDE, SIDE))
    layers = found["layers"]
    return {
        "parameters": sum(layer["grad_params"] + layer["nograd_params"] for layer in layers),
        "macs": sum(layer["macs"] for layer in layers),
        "field": max((layer["rf"] for layer in layers if layer.get("rf")), default=None),
    }


def keras_flops(network: Any) -> Answer:
    """Its count by TensorFlow's profiler; a MAC is two operations."""
    from keras_flops import get_flops

    return {"parameters": network.count_params(), "macs": get_flops(network, batch_size=1) // 2}


TOOLS: dict[str, Callable[[Any], Answer]] = {
    "torchinfo": torchinfo,
    "ptflops": ptflops,
    "fvcore": fvcore,
    "torchscan": torchscan,
    "keras-flops": keras_flops,
}


def built(tool: str, network: str) -> Any:
    """The network in the framework of the tool, with random weights."""
    if tool == "keras-flops":
        import keras

        return getattr(keras.applications, network)(weights=None)
    import torchvision

    return getattr(torchvision.models, TORCH[network])(weights=None).eval()


def main(tool: str, network: str) -> None:
    """Prints the answer of one tool, or the error that it ends with."""
    try:
        model = built(tool, network)
        began = time.perf_counter()
        answer = TOOLS[tool](model)
        answer["seconds"] = time.perf_counter() - began
    except Exception as error:  # another's tool may raise anything
        answer = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
