"""One application of laplace-torch or kronfluence on one network: the work of ../ourApplications.mjs with the same arguments and the same line of JSON.

    python time_applications.py --folder FOLDER --work "laplace all kfac"

The weights are those of the ONNX file, in a perceptron of PyTorch.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
import warnings

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--folder", required=True)
parser.add_argument("--work", required=True)
parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
parser.add_argument("--repeats", type=int, default=5)
arguments = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import torch  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch.utils.data import DataLoader, Subset, TensorDataset  # noqa: E402

torch.set_num_threads(1)
task, *rest = arguments.work.split(" ")
if task == "laplace":
    from laplace import Laplace  # noqa: E402
else:
    from kronfluence.analyzer import Analyzer, prepare_model  # noqa: E402
    from kronfluence.arguments import FactorArguments, ScoreArguments  # noqa: E402
    from kronfluence.task import Task  # noqa: E402

with open(os.path.join(arguments.folder, "about.json")) as file:
    about = json.load(file)
dtype = getattr(torch, arguments.dtype)


def perceptron():
    """The layers of the file: Gemm nodes with weights [out, in], with tanh between them."""
    graph = onnx.load(about["model"]).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers = []
    for node in graph.node:
        if node.op_type == "Gemm":
            weight, bias = (torch.from_numpy(stored[name].copy()) for name in node.input[1:3])
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": bias})
            layers.append(layer)
        elif node.op_type == "Tanh":
            layers.append(torch.nn.Tanh())
        elif node.op_type != "Flatten":
            raise ValueError(f"unexpected {node.op_type}")
    return torch.nn.Sequential(*layers).to(dtype).eval()


def rows(part):
    x = np.fromfile(os.path.join(arguments.folder, f"{part}_x.bin"), np.float32).reshape(-1, about["size"])
    y = np.fromfile(os.path.join(arguments.folder, f"{part}_y.bin"), np.int32).astype(np.int64)
    return TensorDataset(torch.from_numpy(x).to(dtype), torch.from_numpy(y))


train, test = rows("train"), rows("test")
model = perceptron()


def approximation(subset, structure):
    start = time.process_time()
    names = {"all": "all", "last": "last_layer"}
    structures = {"full": "full", "kfac": "kron", "diagonal": "diag"}
    la = Laplace(model, "classification", subset_of_weights=names[subset], hessian_structure=structures[structure])
    la.fit(DataLoader(train, batch_size=about["batch"]))
    fit = time.process_time() - start
    parts = [la(x, pred_type="glm", link_approx="probit").detach() for x, _ in DataLoader(test, batch_size=about["batch"])]
    total = time.process_time() - start
    evidence = float(la.log_marginal_likelihood(torch.tensor(1.0)))
    return fit, total - fit, np.append(torch.cat(parts).double().numpy().ravel(), evidence)


def scores():
    class Classify(Task):
        def compute_train_loss(self, batch, model, sample=False):
            inputs, labels = batch
            return torch.nn.functional.cross_entropy(model(inputs), labels, reduction="sum")

        def compute_measurement(self, batch, model):
            return self.compute_train_loss(batch, model)

    start = time.process_time()
    own, task = perceptron(), Classify()
    folder = tempfile.mkdtemp()
    analyzer = Analyzer("network", prepare_model(own, task), task, cpu=True, output_dir=folder, disable_tqdm=True)
    kinds = ("activation_covariance", "gradient_covariance", "per_sample_gradient", "lambda")
    factors = FactorArguments(strategy="ekfac", use_empirical_fisher=True, **{f"{kind}_dtype": dtype for kind in kinds})
    kinds = ("per_sample_gradient", "precondition", "score")
    chosen = ScoreArguments(damping_factor=about["damping"], **{f"{kind}_dtype": dtype for kind in kinds})
    batch = {"per_device_batch_size": about["batch"]}
    analyzer.fit_all_factors("factors", train, factor_args=factors, overwrite_output_dir=True, **batch)
    fit = time.process_time() - start
    analyzer.compute_pairwise_scores(
        "scores",
        "factors",
        query_dataset=Subset(test, range(about["queries"])),
        train_dataset=train,
        per_device_query_batch_size=about["queries"],
        per_device_train_batch_size=about["batch"],
        score_args=chosen,
        overwrite_output_dir=True,
    )
    found = analyzer.load_pairwise_scores("scores")["all_modules"].double().numpy().ravel()
    total = time.process_time() - start
    shutil.rmtree(folder)
    return fit, total - fit, found


def peak():
    """Peak of resident memory since the last reset, in bytes (Linux)."""
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def run():
    return scores() if task == "influence" else approximation(*rest)


with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = peak()
calls = [run()]
memory = peak() - before
calls += [run() for _ in range(arguments.repeats - 1)]
np.asarray(calls[0][2], np.float64).tofile(os.path.join(arguments.folder, "theirs.bin"))
print(json.dumps({"fit": [c[0] for c in calls], "rest": [c[1] for c in calls], "memory": memory}), flush=True)
