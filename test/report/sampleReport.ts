import {
  type CurvatureReport,
  type MatrixName,
  matrixNames,
  type ReportedDensity,
  type ReportedLayer,
  type ReportedMatrix,
} from "../../src/applications/index.ts";
import { matrixEntry } from "../../src/applications/reportedMatrices.ts";
import { stream } from "../../src/random/index.ts";

/** Numbers of a small digits classifier, from float64 dense matrices computed outside this library. */
const DIGITS = {
  hessian: {
    title: "Hessian",
    top: [0.8042747, 0.5588637, 0.4615894, 0.3960054, 0.2949516, 0.2197079, 0.1890801, 0.1392017, 0.1220096, 0.1050609],
    bottom: [-0.0014934, -0.0012767, -0.0011646, -0.0010322, -0.00094275],
    trace: 4.965467750189184,
    shares: [0.62, 0.06, 0.29, 0.03],
  },
  ggn: {
    title: "Gauss-Newton",
    top: [0.764035, 0.5217716, 0.4246922, 0.3608157, 0.2567106, 0.1818549, 0.1576507, 0.1008365, 0.090674, 0.07425878],
    bottom: [0, 0, 0, 0, 0],
    trace: 4.11475009116622,
    shares: [0.6, 0.06, 0.31, 0.03],
  },
  empiricalFisher: {
    title: "Empirical Fisher",
    top: [
      0.09943305, 0.08859781, 0.03716771, 0.03244231, 0.02357117, 0.02046262, 0.01632003, 0.009515936, 0.008803673,
      0.007457888,
    ],
    bottom: [0, 0, 0, 0, 0],
    trace: 0.4336426182000306,
    shares: [0.64, 0.05, 0.28, 0.03],
  },
} as const;

const TENSORS = [
  { name: "0.weight", dims: [16, 64], role: "weight of Gemm", layer: "0" },
  { name: "0.bias", dims: [16], role: "bias of Gemm", layer: "0" },
  { name: "2.weight", dims: [10, 16], role: "weight of Gemm", layer: "2" },
  { name: "2.bias", dims: [10], role: "bias of Gemm", layer: "2" },
] as const;

const PARAMETERS = 1210;

/** A whole spectrum between known ends: values that fall off geometrically so that everything sums to the trace. */
function spectrum(top: readonly number[], bottom: readonly number[], trace: number): number[] {
  const count = PARAMETERS - top.length - bottom.length;
  const ends = [...top, ...bottom].reduce((sum, value) => sum + value, 0);
  const first = top[top.length - 1] as number;
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const q = (low + high) / 2;
    const sum = (first * q * (1 - q ** count)) / (1 - q);
    if (sum < trace - ends) low = q;
    else high = q;
  }
  const middle = Array.from({ length: count }, (_, i) => first * low ** (i + 1));
  const noise = bottom[0] === 0 ? 0 : 1;
  const random = stream(3, "spectrum", count);
  const negative = middle.map((value, i) => (i > 300 && noise ? -0.0007 * random.uniform() ** 3 : value));
  return [...top, ...negative, ...bottom].sort((a, b) => a - b);
}

function smooth(values: readonly number[], grid: readonly number[], width: number): number[] {
  const random = stream(5, "density", grid.length);
  return grid.map((x) => {
    const sum = values.reduce((total, value) => total + Math.exp(-0.5 * ((x - value) / width) ** 2), 0);
    return ((sum * Math.exp(0.15 * random.normal())) / (PARAMETERS * width * Math.sqrt(2 * Math.PI))) as number;
  });
}

function evenly(low: number, high: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

function densityOf(values: readonly number[], grid: readonly number[], width: number): ReportedDensity {
  return { grid, density: smooth(values, grid, width), width };
}

export function sampleLayers(trace: number, shares: readonly number[], relativeError: number): ReportedLayer[] {
  const tensors = TENSORS.map(({ name, dims }, i) => ({
    name,
    dims,
    trace: trace * (shares[i] as number),
    standardError: Math.abs(trace) * (shares[i] as number) * relativeError,
  }));
  return ["0", "2"].map((layer) => {
    const own = tensors.filter(({ name }) => name.startsWith(`${layer}.`));
    return {
      name: layer,
      parameters: own.reduce((sum, { dims }) => sum + dims.reduce((product: number, dim) => product * dim, 1), 0),
      trace: own.reduce((sum, tensor) => sum + tensor.trace, 0),
      standardError: Math.hypot(...own.map(({ standardError }) => standardError)),
      tensors: own,
    };
  });
}

function named(name: MatrixName): Pick<ReportedMatrix, "words" | "place"> {
  return { words: matrixEntry(name).words, place: matrixNames.indexOf(name) };
}

/** A matrix of the digits model with estimates that lie about one standard error off. */
export function sampleMatrix(
  kind: keyof typeof DIGITS,
  { exact = true }: { readonly exact?: boolean } = {},
): ReportedMatrix {
  const key = `${kind} ${exact}`;
  const made = sampleMatrices.get(key) ?? makeMatrix(kind, exact);
  sampleMatrices.set(key, made);
  return made;
}

/** Densities take a quarter of a second to smooth, and no test changes them. */
const sampleMatrices = new Map<string, ReportedMatrix>();

function makeMatrix(kind: keyof typeof DIGITS, exact: boolean): ReportedMatrix {
  const { title, top, bottom, trace, shares } = DIGITS[kind];
  const values = spectrum(top, bottom, trace);
  const frobenius = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const epsilon = 1e-6 * top[0];
  const logarithms = (sign: 1 | -1) => values.filter((v) => sign * v > epsilon).map((v) => Math.log10(sign * v));
  const width = 0.01 * top[0];
  const grid = evenly(-0.05 * top[0], 1.06 * top[0], 500);
  const decades = evenly(Math.log10(epsilon), Math.log10(top[0]) + 0.3, 400);
  const count = (test: (value: number) => boolean) => values.filter(test).length / PARAMETERS;
  return {
    title,
    ...named(kind),
    psd: kind !== "hessian",
    trace: { value: trace * 1.021, standardError: 0.024 * trace, matvecs: 64 },
    frobenius: { value: frobenius * 0.985, standardError: 0.021 * frobenius, matvecs: 64 },
    eigenvalues: {
      largest: top.slice(0, 5).map((value, i) => ({ value, residualNorm: 1e-9 * 10 ** i })),
      smallest: bottom.map((value, i) => ({ value: value === 0 ? -1e-9 * i : value, residualNorm: 2e-6 * (i + 1) })),
      ...(exact ? { exact: { largest: top.slice(0, 5), smallest: [...bottom].reverse() } } : {}),
      matvecs: 68,
      status: "converged",
      message: "10 eigenvalues converged to a residual of 1e-5 after 68 products.",
    },
    density: {
      ...densityOf(values, grid, width),
      logarithmic: {
        negative: densityOf(logarithms(-1), decades, 0.08),
        positive: densityOf(logarithms(1), decades, 0.08),
        zeroMass: count((v) => Math.abs(v) <= epsilon),
        epsilon,
      },
      negativeMass: count((v) => v < -10 * epsilon),
      resolution: 10 * epsilon,
      matvecs: 320,
      ...(exact ? { exactEigenvalues: values } : {}),
    },
    layers: sampleLayers(trace * 1.021, shares, 0.03),
    matvecs: 452,
    seconds: 2.31,
  };
}

/** The report of the digits model with so many of the matrices. */
export function sampleReport({
  matrices = matrixNames,
  exact = true,
}: {
  readonly matrices?: readonly MatrixName[];
  readonly exact?: boolean;
} = {}): CurvatureReport {
  const made: { readonly [name in MatrixName]: () => ReportedMatrix } = {
    hessian: () => sampleMatrix("hessian", { exact }),
    ggn: () => sampleMatrix("ggn", { exact }),
    fisher2: () => ({ ...sampleMatrix("ggn", { exact }), ...named("fisher2"), title: "Fisher, type II" }),
    fisher1: () => ({ ...sampleMatrix("ggn", { exact }), ...named("fisher1"), title: "Fisher, type I" }),
    empiricalFisher: () => sampleMatrix("empiricalFisher", { exact }),
  };
  const both = matrices.includes("hessian") && matrices.includes("ggn");
  return {
    version: "0.1.0",
    model: {
      file: "models/digits_mlp_op13.onnx",
      parameters: PARAMETERS,
      tensors: TENSORS,
      opset: 13,
      notices: [],
    },
    data: { file: "data/digits.csv.gz", rows: 1437, batchSize: 512 },
    loss: { name: "cross-entropy", reduction: "mean", value: 0.017247599869629014 },
    accuracy: 0.9993041057759221,
    gradient: { norm: 0.02227921908450831 },
    matrices: Object.fromEntries(matrices.map((name) => [name, made[name]()])),
    ...(both ? { residualShare: { value: 0.262, standardError: 0.018, matvecs: 128 } } : {}),
    seed: 0,
    dtype: "float32",
    cache: 2 ** 31,
    secondsPerGradient: 0.0042,
    seconds: 11.9,
  };
}

/** A report on a network of many layers, without exact values. */
export function manyLayersReport(count: number): CurvatureReport {
  const report = sampleReport({ matrices: ["hessian", "ggn"], exact: false });
  const random = stream(11, "layers");
  const layers = Array.from({ length: count }, (_, i): ReportedLayer => {
    const trace = 10 ** (2 * random.normal() - 1);
    const name = `model.layers.${i >> 2}.${["attention.query_key_value", "attention.dense", "mlp.up_projection", "mlp.down_projection"][i & 3]}`;
    const parameters = 4096 * (1 + (i & 3));
    const standardError = trace * 0.1;
    return {
      name,
      parameters,
      trace,
      standardError,
      tensors: [{ name: `${name}.weight`, dims: [parameters / 64, 64], trace, standardError }],
    };
  });
  const matrices = Object.fromEntries(
    Object.entries(report.matrices).map(([name, matrix]) => [name, { ...matrix, layers }]),
  );
  return { ...report, matrices };
}
