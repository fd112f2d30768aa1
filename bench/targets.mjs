// @ts-check

/*
 * What the library is to reach: a time over another time of the same run. `of` is ours, `over` the other library's or
 * our own; `per` divides by a number of columns, so that a column is compared with a single product.
 */

/** @typedef {{ library: string, quantity: string }} Timed */
/** @typedef {{ problem: string, of: string, over: Timed, limit: number, per?: number }} Target */

export const OURS = "onnx-curvature";
export const CURVLINOPS = "curvlinops";

/**
 * @param {Readonly<Record<string, readonly [hessian: number, ggn: number]>>} limits by problem
 * @param {string} [suffix]
 * @returns {Target[]}
 */
function bothMatrices(limits, suffix = "") {
  return Object.entries(limits).flatMap(([problem, [forHessian, forGgn]]) => [
    against(problem, `hessian${suffix}`, forHessian),
    against(problem, `ggn${suffix}`, forGgn),
  ]);
}

/**
 * @param {string} problem
 * @param {string} of
 * @param {number} limit
 * @param {string} [peer]
 * @returns {Target}
 */
function against(problem, of, limit, peer = of) {
  return { problem, of, over: { library: CURVLINOPS, quantity: peer }, limit };
}

/**
 * @param {string} of
 * @param {Readonly<Record<string, number>>} limits by problem
 * @param {string} [peer]
 */
function eachProblem(of, limits, peer = of) {
  return Object.entries(limits).map(([problem, limit]) => against(problem, of, limit, peer));
}

/**
 * @param {string} problem
 * @param {string} of
 * @param {number} limit
 * @returns {Target}
 */
function inGradients(problem, of, limit) {
  return { problem, of, over: { library: OURS, quantity: "gradient" }, limit };
}

/**
 * A column of K at once costs at most 1.05 single products.
 *
 * @param {string} problem
 * @param {number} columns
 * @returns {Target[]}
 */
function columnCosts(problem, columns) {
  return ["hessian", "ggn"].map((matrix) => ({
    problem,
    of: `${matrix}_${columns}`,
    over: { library: OURS, quantity: matrix },
    limit: 1.05,
    per: columns,
  }));
}

/** @type {readonly Target[]} */
export const targets = [
  ...bothMatrices({
    A: [0.08, 0.08],
    B: [0.35, 0.35],
    C: [0.5, 0.55],
    D: [0.75, 0.8],
    E: [0.5, 0.6],
    B20: [0.35, 0.35],
  }),
  ...eachProblem("hessian", { B: 0.75, C: 0.75, D: 1, E: 0.75 }, "hessian_plain"),
  ...eachProblem("ggn", { A: 0.9, B: 0.9, C: 0.9 }, "ggn_compiled"),
  inGradients("B", "risk_at", 0.05),
  inGradients("C", "ggn", 1.4),
  inGradients("C", "hessian", 1.9),
  inGradients("D", "ggn", 1.6),
  inGradients("D", "hessian", 2.4),
  ...eachProblem("gradient", { B: 1.15, C: 1.15, D: 1.3, E: 1.15 }),
  ...bothMatrices({ A: [0.5, 0.5], B: [0.75, 0.85], C: [0.65, 0.7] }, "_32"),
  ...["A", "B", "C"].flatMap((problem) => columnCosts(problem, 32)),
  ...["D", "E"].flatMap((problem) => columnCosts(problem, 8)),
  ...eachProblem("trace_100", { A: 0.6, B: 0.65, C: 0.45 }),
  ...eachProblem("cg_50", { A: 0.1, B: 0.35, C: 0.55 }),
  ...eachProblem("eigsh_10", { A: 0.15, B: 0.35 }),
  ...eachProblem("density_128", { A: 0.15, B: 0.35 }),
];

/** Problems on which the peak memory of a process that does `H v` is to be no more than PyTorch's. */
export const memoryProblems = ["C", "D"];
