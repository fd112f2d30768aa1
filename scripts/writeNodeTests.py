"""Writes the ONNX standard's own tests of single nodes, which the Python package onnx makes, as files.

Usage: python writeNodeTests.py FOLDER. Each test is a folder with model.onnx, input_0.pb, ..., output_0.pb, ...; tests whose
inputs or outputs are not all tensors are left out.
"""

import pathlib
import sys
import warnings

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def write_case(case, folder: pathlib.Path) -> None:
    inputs, outputs = case.data_sets[0]
    if not all(isinstance(value, (numpy.ndarray, numpy.generic)) for value in [*inputs, *outputs]):
        return
    folder.mkdir(parents=True, exist_ok=True)
    graph = case.model.graph
    for kind, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
        for i, (value, info) in enumerate(zip(values, infos)):
            tensor = numpy_helper.from_array(numpy.asarray(value), info.name)
            (folder / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString())
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())


def main() -> None:
    warnings.filterwarnings("ignore")
    root = pathlib.Path(sys.argv[1])
    for case in collect_testcases(None):
        if case.model is not None and case.data_sets:
            write_case(case, root / case.name)
    (root / "version.txt").write_text(onnx.__version__)


if __name__ == "__main__":
    main()
