import { CurvatureError } from "../errors/index.ts";
import { cg, damped, type LinearOperator } from "../linalg/index.ts";
import { probe } from "../linalg/vectors/probes.ts";
import { fisher, ggn, type Risk } from "../operators/index.ts";
import { stream } from "../random/index.ts";
import {
  type ApproximatedMatrix,
  blockDiagonal,
  diagonal,
  ekfac,
  kfac,
  type StructuredApproximation,
} from "../structured/index.ts";
import { type ErrorSample, relativeError } from "../structured/relativeError.ts";
import { toPrecision, type Vector } from "../tensors/index.ts";
import { type LayerBlock, layerBlocks } from "./layerBlocks.ts";
import type { ApproximationName, BlockPicture, ReportedApproximation, StructuredReport } from "./report.ts";
import { seedFor } from "./seedFor.ts";
import type { Stages } from "./stages.ts";

/** What a structured report is to contain. */
export interface StructuredRequest {
  readonly names: readonly ApproximationName[];
  /** Random vectors a layer, each one product with the matrix. */
  readonly probes: number;
  /** Time of one gradient in seconds, the unit in which the making of an approximation is told. */
  readonly secondsPerGradient: number;
  readonly seed: number;
  readonly stages: Stages;
}

type Builder = (
  risk: Risk,
  options: { readonly of: ApproximatedMatrix; readonly seed: number },
) => Promise<StructuredApproximation>;

/** The approximations that a report can have, in its order. */
const BUILDERS: { readonly [name in ApproximationName]: { readonly title: string; readonly build: Builder } } = {
  kfac: { title: "KFAC", build: kfac },
  ekfac: { title: "EKFAC", build: ekfac },
  twoSided: {
    title: "EKFAC, two-sided",
    build: (risk, options) => ekfac(risk, { ...options, sharing: "twoSided" }),
  },
  diagonal: { title: "Diagonal", build: diagonal },
  blocks: { title: "Dense blocks", build: (risk, options) => blockDiagonal(risk, options) },
};

/** Names of the approximations of a report. */
export const approximationNames = Object.keys(BUILDERS) as readonly ApproximationName[];

/** Outputs of a term up to which each takes a reverse pass of its own; beyond, labels are drawn. */
const MOST_COLUMNS = 64;

/** Labels drawn a term where there are more outputs. */
const DRAWN_LABELS = 8;

/** Entries of the block that is drawn. */
const PICTURED = 60;

/** Products that a system of the comparison takes at most, for networks of many weights and of few. */
const CG_PRODUCTS = { large: 60, small: 200 } as const;

/** Weights above which a network is large. */
const LARGE = 5000;

/** Relative residual at which a system of the comparison is solved. */
const CG_TOLERANCE = 1e-4;

/** Products with the matrix that `structuredReport` takes at most. */
export function structuredCost(
  risk: Pick<Risk, "parameters" | "size">,
  { names, probes }: Pick<StructuredRequest, "names" | "probes">,
): number {
  return layerBlocks(risk.parameters).layers.length * probes + PICTURED + (names.length + 1) * systemProducts(risk);
}

function systemProducts({ size }: Pick<Risk, "size">): number {
  return size > LARGE ? CG_PRODUCTS.large : CG_PRODUCTS.small;
}

/**
 * How good structured approximations of the Gauss-Newton matrix (for a loss that is not convex in the outputs, of the Fisher matrix of type II) are: for each the
 * relative error in the Frobenius norm within every layer and over all, with standard errors, from products with the parts of random vectors that
 * belong to one layer, which all approximations share; the products that conjugate gradients take on the damped matrix with its inverse as
 * preconditioner; and a picture of a block. The damping is the mean eigenvalue, by the estimated trace.
 *
 * @throws CurvatureError "aborted", or whatever a product or an approximation throws
 */
export async function structuredReport(risk: Risk, request: StructuredRequest): Promise<StructuredReport> {
  const { names, stages, secondsPerGradient } = request;
  const target = await targetOf(risk, request);
  const made: Made[] = [];
  try {
    for (const name of names) {
      const began = performance.now();
      const K = await stages.run({ name: BUILDERS[name].title, cost: 0 }, ({ signal }) =>
        BUILDERS[name].build(risk, { of: target.of, seed: seedFor(request.seed, name), ...(signal && { signal }) }),
      );
      made.push({ name, K, gradients: (performance.now() - began) / 1000 / secondsPerGradient });
    }
    return await compared(risk, { target, made, request });
  } finally {
    for (const { K } of made) await K.dispose();
  }
}

interface Target {
  readonly of: ApproximatedMatrix;
  readonly matrix: LinearOperator;
  readonly noun: string;
  readonly labels?: number;
}

interface Made {
  readonly name: ApproximationName;
  readonly K: StructuredApproximation;
  readonly gradients: number;
}

/** The matrix that is approximated; with many outputs its approximations are made from drawn labels. */
async function targetOf(risk: Risk, { seed }: StructuredRequest): Promise<Target> {
  const { convex, likelihood } = risk.lossFunction;
  const noun = convex ? "the Gauss-Newton matrix" : "the Fisher matrix (type II)";
  const exact: ApproximatedMatrix = convex ? "ggn" : { type: 2 };
  const matrix = convex ? ggn(risk) : fisher(risk, { type: 2 });
  const outputs = (await risk.engine.graph()).f.shape[1];
  if (outputs <= MOST_COLUMNS || likelihood === undefined) return { of: exact, matrix, noun };
  return { of: { type: 1, labels: DRAWN_LABELS, seed: seedFor(seed, "labels") }, matrix, noun, labels: DRAWN_LABELS };
}

interface Comparison {
  readonly target: Target;
  readonly made: readonly Made[];
  readonly request: StructuredRequest;
}

async function compared(risk: Risk, comparison: Comparison): Promise<StructuredReport> {
  const { target, made, request } = comparison;
  const { layers, order } = layerBlocks(risk.parameters);
  const places = layers.map((layer) => indicesOf(layer, order));
  const errors = await layerErrors(comparison, { places, size: risk.size });
  const systems = await solvedSystems(risk, { ...comparison, trace: errors.trace });
  const picture = await pictureOf(risk, comparison);
  return {
    noun: target.noun,
    ...(target.labels === undefined ? {} : { labels: target.labels }),
    probes: request.probes,
    outside: errors.outside,
    matvecs: errors.matvecs + systems.matvecs + (picture?.entries ?? 0),
    damping: systems.damping,
    plain: systems.plain,
    tolerance: CG_TOLERANCE,
    approximations: await Promise.all(
      made.map(
        async ({ name, K, gradients }, index): Promise<ReportedApproximation> => ({
          name,
          title: BUILDERS[name].title,
          gradients,
          reversePasses: K.reversePasses,
          terms: K.terms,
          trace: await K.trace(),
          ...errors.whole[index]!,
          layers: layers.map((layer, at) => ({
            name: layer.name,
            parameters: places[at]!.length,
            ...errors.layers[index]![at]!,
            kinds: kindsOf(K, layer),
          })),
          system: systems.preconditioned[index]!,
        }),
      ),
    ),
    ...(picture && { picture }),
  };
}

function indicesOf({ start, end }: LayerBlock, order: Uint32Array | undefined): Uint32Array {
  return order?.subarray(start, end) ?? Uint32Array.from({ length: end - start }, (_, i) => start + i);
}

function kindsOf(K: StructuredApproximation, { tensors }: LayerBlock): readonly string[] {
  const own = K.coverage.filter(({ parameter }) => tensors.some(({ name }) => name === parameter));
  return [...new Set(own.flatMap(({ kinds }) => kinds))];
}

/**
 * Relative errors from products with the part z_l of a random vector that belongs to layer l. The sum over layers of E|(A - K) z_l|^2 is the
 * squared Frobenius norm of A - K, and the entries of (A - K) z_l within the layer give that of its block.
 */
async function layerErrors(
  { target, made, request }: Comparison,
  { places, size }: { readonly places: readonly Uint32Array[]; readonly size: number },
) {
  const { probes, seed, stages } = request;
  const { dtype } = target.matrix;
  const inside: ErrorSample[][][] = made.map(() => places.map(() => []));
  const whole: ErrorSample[][] = made.map(() => []);
  let [beside, total, trace] = [0, 0, 0];
  await stages.run(
    { name: "errors of approximations", cost: places.length * probes },
    async ({ signal, onProgress }) => {
      const run = signal ? { signal } : {};
      for (let p = 0; p < probes; p++) {
        const z = probe(size, { distribution: "signs", stream: stream(seed, "errors of approximations", p), dtype });
        const sums = made.map(() => ({ error: 0, whole: 0 }));
        for (const [at, place] of places.entries()) {
          const part = z.slice().fill(0);
          for (const entry of place) part[entry] = z[entry]!;
          const y = await target.matrix.matvec(part, run);
          const [own, all] = [squaredNorm(y, place), squaredNorm(y)];
          trace += place.reduce((sum, entry) => sum + part[entry]! * y[entry]!, 0) / probes;
          beside += all - own;
          total += all;
          for (const [index, { K }] of made.entries()) {
            const x = await K.matvec(part, run);
            inside[index]![at]!.push({ error: squaredDistance(y, x, place), whole: own });
            sums[index]!.error += squaredDistance(y, x);
            sums[index]!.whole += all;
          }
          onProgress?.({
            stage: "errors of approximations",
            done: p * places.length + at + 1,
            total: places.length * probes,
          });
        }
        for (const [index, sum] of sums.entries()) whole[index]!.push(sum);
      }
    },
  );
  const error = (samples: readonly ErrorSample[]) => {
    const { relativeError: value, standardError } = relativeError(samples, { confidence: 0.95 });
    return { relativeError: value, standardError };
  };
  return {
    whole: whole.map(error),
    layers: inside.map((each) => each.map(error)),
    outside: total === 0 ? 0 : beside / total,
    trace,
    matvecs: places.length * probes,
  };
}

/** Products that `cg` takes for a random right side, plain and with the inverse of each approximation as preconditioner. */
async function solvedSystems(risk: Risk, { target, made, request, trace }: Comparison & { readonly trace: number }) {
  const { seed, stages } = request;
  const { matrix } = target;
  const budget = systemProducts(risk);
  const damping = trace > 0 ? trace / risk.size : 1;
  const system = damped(matrix, damping);
  const b = probe(risk.size, { distribution: "gaussian", stream: stream(seed, "right side"), dtype: matrix.dtype });
  const solved = async (title: string, preconditioner?: LinearOperator) =>
    stages.run({ name: `conjugate gradients, ${title}`, cost: budget }, async (run) => {
      const options = { ...run, matvecs: budget, tolerance: CG_TOLERANCE };
      const { matvecs, status, message } = await cg(system, b, {
        ...options,
        ...(preconditioner && { preconditioner }),
      });
      if (status === "aborted") throw new CurvatureError("aborted", message);
      return { products: matvecs, converged: status === "converged" };
    });
  const plain = await solved("no preconditioner");
  const preconditioned = [];
  for (const { name, K } of made) preconditioned.push(await solved(BUILDERS[name].title, K.inverse({ damping })));
  const matvecs = [plain, ...preconditioned].reduce((sum, { products }) => sum + products, 0);
  return { damping, plain, preconditioned, matvecs };
}

/** The first entries of the weight matrix whose block is nearest to the size of the picture, in the matrix and in each approximation. */
async function pictureOf(risk: Risk, { target, made, request }: Comparison): Promise<BlockPicture | undefined> {
  const matrices = risk.parameters.filter(({ dims, size }) => dims.length > 1 && size > 1);
  const candidates = matrices.length > 0 ? matrices : risk.parameters.filter(({ size }) => size > 1);
  const [chosen] = [...candidates].sort((a, b) => Math.abs(a.size - PICTURED) - Math.abs(b.size - PICTURED));
  if (chosen === undefined) return undefined;
  const entries = Math.min(chosen.size, PICTURED);
  const columns = await request.stages.run({ name: "picture of a block", cost: PICTURED }, async ({ signal }) => {
    const found: Vector[][] = [target.matrix, ...made.map(({ K }) => K)].map(() => []);
    for (let j = 0; j < entries; j++) {
      const unit = toPrecision(new Float64Array(risk.size), target.matrix.dtype);
      unit[chosen.offset + j] = 1;
      for (const [index, matrix] of [target.matrix, ...made.map(({ K }) => K)].entries()) {
        const column = await matrix.matvec(unit, signal ? { signal } : {});
        found[index]!.push(column.slice(chosen.offset, chosen.offset + entries));
      }
    }
    return found;
  });
  const rounded = (matrix: readonly Vector[]) => matrix.map((column) => Array.from(column, shortened));
  const [exact, ...approximations] = columns.map(rounded);
  return {
    parameter: chosen.name,
    dims: chosen.dims,
    entries,
    exact: exact!,
    approximations: approximations.map((values, index) => ({ name: made[index]!.name, values })),
  };
}

/** A number for a picture. */
function shortened(value: number): number {
  return Number(value.toPrecision(4));
}

function squaredNorm(x: Vector, place?: Uint32Array): number {
  let sum = 0;
  if (place === undefined) for (const value of x) sum += value * value;
  else for (const entry of place) sum += x[entry]! ** 2;
  return sum;
}

function squaredDistance(x: Vector, y: Vector, place?: Uint32Array): number {
  let sum = 0;
  if (place === undefined) for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  else for (const entry of place) sum += (x[entry]! - y[entry]!) ** 2;
  return sum;
}
