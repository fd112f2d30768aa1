"""KFAC and EKFAC of curvlinops, of the layers that it takes: linear layers and convolutions.

Run as a program, it prints the numbers of the exact (type 2) matrices of a network whose weights and data another program wrote:

    python structured.py --problem B --folder FOLDER

FOLDER has float32 files `parameter_0`, `parameter_1`, ... in the order of the network's parameters, `inputs`, `v`, for the transformer
`position`, and `targets` (int64). It leaves `kfac` and `ekfac` there, the products with v, and prints traces and Frobenius norms.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy
import torch
from torch import nn

SUPPORTED = (nn.Linear, nn.Conv2d)
OPTIONS = {"kfac_1": {"mc_samples": 1}, "kfac_type2": {"fisher_type": "type-2"}, "ekfac_1": {"mc_samples": 1}}


def supported(model):
    return [p for module in model.modules() if isinstance(module, SUPPORTED) for p in module.parameters(recurse=False)]


def build(curvlinops, model, data, name, **options):
    """The matrix with everything computed that a product needs."""
    kind = curvlinops.EKFACLinearOperator if name.startswith("ekfac") else curvlinops.KFACLinearOperator
    rows = sum(len(x) for x, _ in data)
    settings = {**OPTIONS.get(name, {}), **options, "num_data": rows, "check_deterministic": False}
    matrix = kind(model, nn.CrossEntropyLoss(), supported(model), data, **settings)
    matrix.compute_kronecker_factors()
    if name.startswith("ekfac"):
        matrix.compute_eigenvalue_correction()
    return matrix


def read(path, shape, dtype=numpy.float32):
    return torch.from_numpy(numpy.fromfile(path, dtype=dtype).reshape(shape).copy())


def main():
    import curvlinops
    from networks import PROBLEMS, make_problem

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    folder = arguments.folder
    warnings.filterwarnings("ignore")
    model, _ = make_problem(arguments.problem)
    _, shape, rows, _ = PROBLEMS[arguments.problem]
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(read(folder / f"parameter_{i}", parameter.shape))
        if (folder / "position").exists():
            model.position.copy_(read(folder / "position", model.position.shape))
    data = [(read(folder / "inputs", (rows, *shape)), read(folder / "targets", (rows,), numpy.int64))]
    numbers = {}
    for name in ("kfac", "ekfac"):
        try:
            matrix = build(curvlinops, model, data, name, fisher_type="type-2")
        except torch.linalg.LinAlgError as error:
            numbers[name] = {"error": str(error)}
            continue
        product = matrix @ read(folder / "v", (matrix.shape[1],))
        product.detach().numpy().tofile(folder / name)
        numbers[name] = {"trace": float(matrix.trace), "norm": float(matrix.frobenius_norm)}
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
