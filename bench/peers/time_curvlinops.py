"""Times curvlinops and plain PyTorch on the CPU, one JSON line a quantity.

    python time_curvlinops.py --problem B --threads 1 --quantities gradient,hessian --seconds 3
    python time_curvlinops.py --problem C --threads 1 --memory hessian

With --serve it reads lines {"quantity", "seconds"} on standard input and answers with a line each, as ../run.mjs does, so
that a driver can alternate the two. Quantities have the names of ../quantities.mjs; `hessian_plain` is the double backward
of PyTorch without curvlinops, `ggn_compiled` curvlinops' product under torch.compile.
"""

import argparse
import glob
import json
import os
import resource
import statistics
import sys
import time
import warnings

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--problem", required=True)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--quantities", default="gradient,hessian,hessian_plain,ggn,empirical_fisher,fisher_1")
parser.add_argument("--seconds", type=float, default=3.0, help="for each quantity")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--serve", action="store_true")
parser.add_argument("--memory", choices=["gradient", "hessian", "ggn"], help="peak memory of three calls instead of times")
arguments = parser.parse_args()
# NumPy and SciPy bring a BLAS of their own, which reads its thread count when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from networks import make_problem  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(arguments.threads)
WAITED = 0.02  # share of a repeat that its threads may wait for a core before it counts as disturbed
SHORTEST = 3e-3  # seconds a repeat lasts at least
STRUCTURED = ("kfac_1", "kfac_type2", "ekfac_1", "kfac_product")
LONG = 2000  # milliseconds of a first call after which no second one is spent on warming up


def waited():
    """Seconds that the threads of this process were ready to run without a core to run on."""
    total = 0
    for path in glob.glob("/proc/self/task/*/schedstat"):
        try:
            with open(path) as file:
                total += int(file.read().split()[1])
        except OSError:
            pass
    return total * 1e-9


class Timer:
    """Repeats a function for about as long as asked; milliseconds a call."""

    def __init__(self, work):
        self.work, self.calls, self.first = work, 0, 0.0
        self.all, self.undisturbed, self.processor = [], [], []

    def once(self):
        start = time.perf_counter()
        self.work()
        return time.perf_counter() - start

    def measure(self, seconds):
        if self.calls == 0:
            self.first = 1e3 * self.once()
            second = self.once() if self.first < LONG else 1e-3 * self.first
            self.calls = 1 if second > SHORTEST else max(1, min(50, int(SHORTEST / self.once()) + 1))
        end = time.perf_counter() + seconds
        while True:
            before, used, start = waited(), time.process_time(), time.perf_counter()
            for _ in range(self.calls):
                self.work()
            taken = time.perf_counter() - start
            self.all.append(1e3 * taken / self.calls)
            self.processor.append(1e3 * (time.process_time() - used) / self.calls)
            if waited() - before < WAITED * taken:
                self.undisturbed.append(self.all[-1])
            if time.perf_counter() >= end:
                return


class Work:
    """The functions that are timed, by name, and how many products the last call took."""

    def __init__(self, problem):
        import curvlinops

        self.cl = curvlinops
        self.model, self.data = make_problem(problem)
        self.loss = nn.CrossEntropyLoss()
        self.parameters = list(self.model.parameters())
        self.size = sum(p.numel() for p in self.parameters)
        self.v = torch.randn(self.size)
        self.products = None

    def operator(self, kind, **options):
        rows = sum(len(x) for x, _ in self.data)
        return getattr(self.cl, f"{kind}LinearOperator")(
            self.model, self.loss, self.parameters, self.data, num_data=rows, check_deterministic=False, **options
        )

    def quantity(self, name):
        if name == "gradient":
            return self.gradient if len(self.data) == 1 else self.summed_gradient
        if name == "hessian_plain":
            return self.double_backward
        if name == "ggn_compiled":
            return self.compiled()
        if name in STRUCTURED:
            return self.structured(name)
        kinds = {"hessian": "Hessian", "ggn": "GGN", "empirical_fisher": "EF", "fisher_1": "FisherMC"}
        if name in kinds:
            operator = self.operator(kinds[name], **({"mc_samples": 1} if name == "fisher_1" else {}))
            return lambda: operator @ self.v
        kind, _, count = name.rpartition("_")
        if kind in kinds:
            operator, columns = self.operator(kinds[kind]), torch.randn(self.size, int(count))
            return lambda: operator @ columns
        return {"trace_100": self.trace, "cg_50": self.cg, "eigsh_10": self.eigsh, "density_128": self.density}[name]()

    def structured(self, name):
        """Builds of structured matrices of the layers that curvlinops takes, and a product with one."""
        from structured import build

        if name != "kfac_product":
            return lambda: build(self.cl, self.model, self.data, name)
        made = build(self.cl, self.model, self.data, "kfac_type2")
        v = torch.randn(made.shape[1])
        return lambda: made @ v

    def gradient(self):
        x, y = self.data[0]
        return torch.autograd.grad(self.loss(self.model(x), y), self.parameters)

    def summed_gradient(self):
        total = [torch.zeros_like(p) for p in self.parameters]
        for x, y in self.data:
            for part, g in zip(total, torch.autograd.grad(self.loss(self.model(x), y), self.parameters)):
                part.add_(g, alpha=1 / len(self.data))
        return total

    def double_backward(self):
        parts = self.v.split([p.numel() for p in self.parameters])
        vector, total = [t.view_as(p) for t, p in zip(parts, self.parameters)], None
        for x, y in self.data:
            gradient = torch.autograd.grad(self.loss(self.model(x), y), self.parameters, create_graph=True)
            product = torch.autograd.grad(gradient, self.parameters, vector)
            total = product if total is None else [a + b for a, b in zip(total, product)]
        return total

    def compiled(self):
        operator = self.operator("GGN")
        # Fills a cached property whose lock cannot be traced; `@` itself would break the graph and run eagerly.
        operator @ self.v
        product = torch.compile(lambda v: operator.__matmul__(v), fullgraph=True)
        return lambda: product(self.v)

    def trace(self):
        operator = self.operator("GGN")
        return lambda: self.cl.hutchinson_trace(operator, num_matvecs=100)

    def counted(self, operator):
        """Counts the columns that an operator is applied to."""
        inner = operator._matmat

        def product(matrix):
            self.products += matrix[0].shape[-1]
            return inner(matrix)

        operator._matmat = product
        return operator

    def counting(self, work):
        def run():
            self.products = 0
            return work()

        return run

    def cg(self):
        from curvlinops._torch_base import PyTorchLinearOperator

        class Identity(PyTorchLinearOperator):
            SELF_ADJOINT = True
            device, dtype = torch.device("cpu"), torch.float32

            def _matmat(self, columns):
                return columns

        shapes = [tuple(p.shape) for p in self.parameters]
        damped = self.counted(self.operator("GGN")) + 1e-2 * Identity(shapes, shapes)
        inverse = self.cl.CGInverseLinearOperator(damped, max_iter=50, tolerance=1e-12, max_tridiag_iter=0)
        return self.counting(lambda: inverse @ self.v)

    def eigsh(self):
        import numpy
        from scipy.sparse.linalg import eigsh

        operator = self.counted(self.operator("Hessian")).to_scipy()
        start = numpy.random.default_rng(0).standard_normal(self.size)
        options = {"k": 10, "which": "LA", "tol": 1e-3, "v0": start, "return_eigenvectors": False}
        return self.counting(lambda: eigsh(operator, **options))

    def density(self):
        operator = self.counted(self.operator("Hessian"))
        return self.counting(lambda: self.cl.lanczos_approximate_spectrum(operator, ncv=128, num_repeats=1))


def say(line):
    print(json.dumps(line), flush=True)


def serve(work):
    timers = {}
    say({"ready": True, "size": work.size})
    for line in sys.stdin:
        request = json.loads(line)
        name = request["quantity"]
        try:
            timer = timers.setdefault(name, None) or Timer(work.quantity(name))
            timers[name] = timer
            work.products, done, quiet = None, len(timer.all), len(timer.undisturbed)
            timer.measure(request["seconds"])
            used = {} if work.products is None else {"matvecs": work.products}
            say(
                {
                    "quantity": name,
                    "all": timer.all[done:],
                    "undisturbed": timer.undisturbed[quiet:],
                    "processor": timer.processor[done:],
                    "first": timer.first,
                    **used,
                }
            )
        except Exception as error:  # noqa: BLE001
            say({"quantity": name, "error": f"{type(error).__name__}: {str(error)[:300]}"})


def report(work):
    names = arguments.quantities.split(",")
    timers = {name: Timer(work.quantity(name)) for name in names}
    for _ in range(arguments.rounds):
        for timer in timers.values():
            timer.measure(arguments.seconds / arguments.rounds)
    for name, timer in timers.items():
        quiet = timer.undisturbed if len(timer.undisturbed) >= 3 else timer.all
        say(
            {
                "library": "curvlinops",
                "problem": arguments.problem,
                "threads": arguments.threads,
                "quantity": name,
                "min_ms": round(min(timer.all), 4),
                "median_ms": round(statistics.median(quiet), 4),
                "first_ms": round(timer.first, 1),
                "repeats": len(timer.all),
                "undisturbed": len(timer.undisturbed),
            }
        )


def memory(work, name):
    def peak():
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)

    before, run = peak(), work.quantity(name)
    for _ in range(3):
        run()
    line = {"library": "curvlinops", "problem": arguments.problem, "threads": arguments.threads, "quantity": f"memory_{name}"}
    say({**line, "before_mib": before, "peak_mib": peak()})


if __name__ == "__main__":
    prepared = Work(arguments.problem)
    if arguments.memory:
        memory(prepared, arguments.memory)
    elif arguments.serve:
        serve(prepared)
    else:
        report(prepared)
