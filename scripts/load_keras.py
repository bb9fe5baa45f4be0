"""Loads `thawline export --format keras` into a Keras model whose layers have the names of `thawline summary`."""

from safetensors.numpy import load_file


def load_weights(model, path):
    tensors = load_file(path)
    for layer in model.layers:
        names = [f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}" for weight in layer.weights]
        if names:
            layer.set_weights([tensors.pop(name) for name in names])
    assert not tensors, f"tensors that belong to no layer: {sorted(tensors)}"
