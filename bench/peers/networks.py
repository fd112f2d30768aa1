"""The benchmark's problems as PyTorch modules: the sizes of ../networks.mjs."""

import math

import torch
from torch import nn

BATCHES = 20


def perceptron(sizes, activation):
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if i < len(sizes) - 2:
            layers.append(activation())
    return nn.Sequential(*layers)


def resnet18():
    from torchvision.models import resnet18 as build

    return build(num_classes=10)


class Block(nn.Module):
    """Pre-norm transformer block with attention written out, which has a forward derivative."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down, self.activation = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.GELU()

    def forward(self, x):
        rows, positions, width = x.shape
        y = self.norm1(x)
        q, k, v = (
            layer(y).view(rows, positions, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        shares = ((q @ k.transpose(-1, -2)) / math.sqrt(width // self.heads)).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(rows, positions, width))
        return x + self.down(self.activation(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Classifier of sequences: width 64, 2 blocks, 4 heads, 50 positions with 16 features."""

    def __init__(self, features=16, width=64, blocks=2, heads=4, positions=50):
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.register_buffer("position", torch.randn(positions, width) * 0.1)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embed(x) + self.position)).mean(1))


def mlp_b():
    return perceptron([784, 64, 32, 10], nn.Tanh)


PROBLEMS = {  # name: (build, shape of a row, rows of a batch, batches)
    "A": (lambda: perceptron([64, 16, 10], nn.Tanh), (64,), 360, 1),
    "B": (mlp_b, (784,), 512, 1),
    "C": (lambda: perceptron([784, 1024, 512, 256, 128, 64, 10], nn.ReLU), (784,), 512, 1),
    "D": (resnet18, (3, 32, 32), 32, 1),
    "E": (Transformer, (50, 16), 64, 1),
    "B20": (mlp_b, (784,), 512, BATCHES),
}


def make_problem(name):
    """Model in inference mode and a list of batches of random normal inputs and random labels."""
    torch.manual_seed(0)
    build, shape, rows, batches = PROBLEMS[name]
    model = build().eval()
    return model, [(torch.randn(rows, *shape), torch.randint(0, 10, (rows,))) for _ in range(batches)]
