"""What a tool says of a network: `peer_tools.py TOOL NETWORK` prints parameters, MACs, receptive field and seconds.

`lab.bench.peers` runs it in an environment that has the tools.
"""

import contextlib
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

SIDE = 224  # pixels of the input
REPEATS = 3
OURS, KERAS_FLOPS = "cnn_models", "keras-flops"  # read Keras's networks; the other tools read torchvision's
# Networks that both libraries have with the same layers: what Keras's applications or keras-hub call them, and what
# torchvision does.
NETWORKS = {
    "VGG16": "vgg16",
    "MobileNetV2": "mobilenet_v2",
    "DenseNet121": "densenet121",
    "EfficientNetB0": "efficientnet_b0",
    "ViT-B/16": "vit_b_16",
}
# PyTorch as built for CPUs has none of the compiled operations that torchvision, as PyPI has it, looks for when it is
# imported. They find boxes in pictures; no classifier needs them.
OPERATIONS_OF_BOXES = ("nms", "qnms")
Answer = dict[str, Any]


def cnn_models(network: Any) -> Answer:
    """Our table's sums, and the field of the last layer whose field is no whole input, gates aside."""
    from cnn_models import layer_table

    table = layer_table(network)
    found = table.largest_field
    return {
        "parameters": table.total("trainable"),
        "macs": (table.total("weight_macs") or 0) + (table.total("activation_macs") or 0),
        "field": found[0] if found else None,
    }


def torchinfo(network: Any) -> Answer:
    """Its sums over all layers."""
    from torchinfo import summary

    found = summary(network, (1, 3, SIDE, SIDE), verbose=0)
    return {"parameters": found.trainable_params, "macs": found.total_mult_adds}


def ptflops(network: Any) -> Answer:
    """Its count by PyTorch's dispatcher."""
    from ptflops import get_model_complexity_info

    macs, parameters = get_model_complexity_info(
        network, (3, SIDE, SIDE), as_strings=False, print_per_layer_stat=False, verbose=False
    )
    return {"parameters": parameters, "macs": macs}


def fvcore(network: Any) -> Answer:
    """Its count by tracing; what it calls FLOPs are multiply-accumulates."""
    import torch
    from fvcore.nn import FlopCountAnalysis, parameter_count

    counted = FlopCountAnalysis(network, torch.zeros(1, 3, SIDE, SIDE))
    counted.unsupported_ops_warnings(False)
    return {"parameters": parameter_count(network)[""], "macs": counted.total()}


def torchscan(network: Any) -> Answer:
    """Its totals, and the largest receptive field of its layers."""
    from torchscan import crawl_module

    found = crawl_module(network, (3, SIDE, SIDE))
    fields = [layer["metrics"].get("receptive_field", {}).get("value") for layer in found["layers"]]
    return {
        "parameters": found["totals"]["trainable_parameters"]["value"],
        "macs": found["totals"]["macs"]["value"],
        "field": max((field for field in fields if field is not None), default=None),
    }


def keras_flops(network: Any) -> Answer:
    """Its count by TensorFlow's profiler; a multiply-accumulate is two operations."""
    from keras_flops import get_flops

    return {"parameters": network.count_params(), "macs": get_flops(network, batch_size=1) // 2}


TOOLS: dict[str, Callable[[Any], Answer]] = {
    OURS: cnn_models,
    "torchinfo": torchinfo,
    "ptflops": ptflops,
    "fvcore": fvcore,
    "torchscan": torchscan,
    KERAS_FLOPS: keras_flops,
}


def built(tool: str, network: str) -> Any:
    """The network in the framework of the tool, with random weights."""
    if tool in (OURS, KERAS_FLOPS):
        return _of_keras(network)
    import torch

    for name in OPERATIONS_OF_BOXES:
        torch.library.define(f"torchvision::{name}", "(Tensor pictures) -> Tensor")
    import torchvision

    return getattr(torchvision.models, NETWORKS[network])(weights=None).eval()


def _of_keras(network: str) -> Any:
    import keras

    if network != "ViT-B/16":
        return getattr(keras.applications, network)(weights=None)
    import keras_hub

    backbone = keras_hub.models.ViTBackbone(
        image_shape=(SIDE, SIDE, 3), patch_size=16, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072
    )
    return keras_hub.models.ViTImageClassifier(backbone, num_classes=1000, pooling="token")


def published(network: str) -> float:
    """Billions of multiply-accumulates as torchvision's pages have them."""
    built("torchinfo", network)  # imports torchvision
    import torchvision

    return torchvision.models.get_model_weights(NETWORKS[network]).DEFAULT.meta["_ops"]


def _in_words(error: Exception) -> str:
    """The first line of what an error says, without the folder of this machine's packages."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {re.sub(r'/[^ ]*/site-packages/', '', first)}"


def _timed(ask: Callable[[Any], Answer], model: Any) -> tuple[Answer, float]:
    """What a tool answers, and the median of its seconds."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        answer = ask(model)
        seconds.append(time.perf_counter() - began)
    return answer, statistics.median(seconds)


def main(tool: str, network: str) -> None:
    """Prints the answer of one tool as JSON, or the error that it ends with."""
    answer: Answer
    with contextlib.redirect_stdout(sys.stderr):  # a tool may print
        try:
            model = built(tool, network)
            answer, seconds = _timed(TOOLS[tool], model)
            answer["seconds"] = seconds
        except Exception as error:  # another's tool may raise anything
            answer = {"error": _in_words(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
