import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
import { combination, dot, norm } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { accuracy } from "../accuracy.ts";
import type { EvaluationCost } from "../evaluations.ts";
import { checkDirection, type LandscapeDirection } from "./landscapeDirections.ts";
import { checkRiskFor } from "./sharpnessRun.ts";

/** Options of `landscape`. */
export interface LandscapeOptions extends RunOptions {
  /** One direction for a line, two for a plane. */
  readonly directions: readonly LandscapeDirection[];
  /** Steps along each direction, ascending; default: 21 from -1 to 1. One list for both directions, or one for each. */
  readonly grid?: readonly number[] | readonly (readonly number[])[];
  /** Whether to compute the accuracy beside the loss, one more forward pass a point; default false. */
  readonly accuracy?: boolean;
  /** Where an earlier run with the same risk and options stopped. */
  readonly state?: LandscapeState;
}

/** The points computed so far: plain data, from which the run can go on. */
export interface LandscapeState {
  readonly method: "landscape";
  readonly columns: number;
  readonly matvecs: number;
  readonly losses: Float64Array;
  /** Accuracies, NaN for none. */
  readonly accuracies: Float64Array;
}

/** An axis of a computed landscape. */
export interface LandscapeAxis extends Omit<LandscapeDirection, "vector"> {
  readonly steps: readonly number[];
  /** Length of the direction. */
  readonly norm: number;
  /** Slope of the loss at the centre along it, `g'd`. */
  readonly slope: number;
  /** `d'H d` */
  readonly curvature: number;
}

/** The loss on a line or a plane through the weights, with its quadratic model. */
export interface Landscape extends EvaluationCost {
  readonly axes: readonly LandscapeAxis[];
  /** `values[a][b]`: loss at `w + steps_1[a] d_1 + steps_2[b] d_2`; for a line `values[a]` has one entry. NaN where it is not finite. */
  readonly values: readonly Float64Array[];
  /** The quadratic model `L + g'd + d'Hd / 2` at the same points. */
  readonly quadratic: readonly Float64Array[];
  readonly accuracies?: readonly Float64Array[];
  /** Loss at the centre. */
  readonly loss: number;
  /** `d_1'H d_2` of a plane. */
  readonly mixedCurvature?: number;
  /** Cosine of the angle between the two directions of a plane; 0 where they are orthogonal. */
  readonly cosine?: number;
  readonly message: string;
}

const NAME = "landscape";

/**
 * The loss along one or two directions through the weights, and the quadratic model `L + g'd + d'Hd / 2` beside it. One forward pass a point (two with
 * `accuracy`), one gradient, one product with the Hessian for each direction.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "aborted" when the signal fires, with `state`
 */
export async function landscape(risk: Risk, options: LandscapeOptions): Promise<Landscape> {
  return runToEnd(landscapeSteps(risk, options));
}

/** The run of `landscape` point by point; yields a state after each, from which `state` resumes it. */
export async function* landscapeSteps(
  risk: Risk,
  options: LandscapeOptions,
): AsyncGenerator<LandscapeState, Landscape, void> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "directions grid accuracy state signal onProgress");
  const { directions, signal, onProgress } = options;
  checkDirections(risk, directions);
  const steps = stepsOf(options.grid, directions.length);
  const [rows, columns] = [steps[0]!.length, steps[1]?.length ?? 1];
  const centre = risk.theta();
  let state: LandscapeState = options.state ?? emptyState();
  checkResumed(state, rows * columns);
  while (state.losses.length < rows * columns) {
    const done = state.losses.length;
    onProgress?.({ stage: "loss on the grid", done, total: rows * columns });
    const offsets = [steps[0]![Math.floor(done / columns)]!, steps[1]?.[done % columns] ?? 0];
    const theta = moved(risk, { centre, directions, offsets });
    const current = state;
    const point = await pointAt(risk, { theta, options }).catch((cause: unknown) => {
      if (!signal?.aborted) throw cause;
      throw new CurvatureError("aborted", `${NAME} was aborted after ${done} points`, { state: current, cause });
    });
    state = withPoint(state, point);
    yield state;
  }
  return {
    ...tables(state, columns),
    ...(await modelOf(risk, { directions, steps, run: signal ? { signal } : {} })),
    ...costOf(state, options),
  };
}

function emptyState(): LandscapeState {
  return { method: NAME, columns: 0, matvecs: 0, losses: new Float64Array(0), accuracies: new Float64Array(0) };
}

function checkResumed({ method, losses }: LandscapeState, points: number): void {
  if (method === NAME && losses.length <= points) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects the state of a run with ${points} points, got one of ${String(method)} with ${losses.length}`,
  );
}

function checkDirections(risk: Risk, directions: readonly LandscapeDirection[]): void {
  if (!Array.isArray(directions) || directions.length < 1 || directions.length > 2) {
    const got = Array.isArray(directions) ? directions.length : typeof directions;
    throw new CurvatureError("argument", `${NAME} expects one direction for a line or two for a plane, got ${got}`);
  }
  for (const { name, vector } of directions) checkDirection(NAME, { risk, name, vector });
}

/** 21 steps from -1 to 1. */
const USUAL_STEPS = Array.from({ length: 21 }, (_, i) => (i - 10) / 10);

function stepsOf(grid: LandscapeOptions["grid"] = USUAL_STEPS, count: number): readonly (readonly number[])[] {
  const lists = Array.isArray(grid) && Array.isArray(grid[0]) ? (grid as readonly (readonly number[])[]) : undefined;
  const steps = lists ?? Array.from({ length: count }, () => grid as readonly number[]);
  const ascends = (list: readonly number[]) =>
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((step, i) => Number.isFinite(step) && (i === 0 || step > list[i - 1]!));
  if (steps.length === count && steps.every(ascends)) return steps;
  throw new CurvatureError(
    "argument",
    `${NAME} expects grid as ascending finite numbers, one list or one for each of ${count} directions`,
  );
}

function moved(
  risk: Risk,
  {
    centre,
    directions,
    offsets,
  }: {
    readonly centre: Vector;
    readonly directions: readonly LandscapeDirection[];
    readonly offsets: readonly number[];
  },
): Vector {
  return directions.reduce(
    (point, { vector }, i) => combination([1, point], [offsets[i]!, vector], { dtype: risk.dtype }),
    centre,
  );
}

async function pointAt(
  risk: Risk,
  { theta, options }: { readonly theta: Vector; readonly options: LandscapeOptions },
): Promise<{ readonly loss: number; readonly accuracy: number }> {
  const { signal } = options;
  const run = signal ? { signal } : {};
  const point = risk.at(theta);
  try {
    const loss = await point.loss(run);
    const share = options.accuracy === true ? await accuracy(point, run) : undefined;
    return { loss: Number.isFinite(loss) ? loss : Number.NaN, accuracy: share ?? Number.NaN };
  } finally {
    await point.dispose();
  }
}

function withPoint(state: LandscapeState, point: { readonly loss: number; readonly accuracy: number }): LandscapeState {
  return {
    ...state,
    losses: Float64Array.of(...state.losses, point.loss),
    accuracies: Float64Array.of(...state.accuracies, point.accuracy),
  };
}

function tables({ losses, accuracies }: LandscapeState, columns: number): Pick<Landscape, "values" | "accuracies"> {
  const table = (flat: Float64Array) =>
    Array.from({ length: flat.length / columns }, (_, a) => flat.slice(a * columns, (a + 1) * columns));
  return {
    values: table(losses),
    ...(accuracies.every((share) => !Number.isNaN(share)) && { accuracies: table(accuracies) }),
  };
}

function costOf({ losses }: LandscapeState, { directions, accuracy: also }: LandscapeOptions): EvaluationCost {
  return { losses: 1 + losses.length * (also === true ? 2 : 1), gradients: 1, matvecs: directions.length };
}

async function modelOf(
  risk: Risk,
  {
    directions,
    steps,
    run,
  }: {
    readonly directions: readonly LandscapeDirection[];
    readonly steps: readonly (readonly number[])[];
    readonly run: RunOptions;
  },
): Promise<Pick<Landscape, "axes" | "quadratic" | "loss" | "mixedCurvature" | "cosine" | "message">> {
  const [loss, g, H] = [await risk.loss(run), await risk.gradient(run), hessian(risk)];
  const products: Vector[] = [];
  for (const { vector } of directions) products.push(await H.matvec(vector, run));
  const axes = directions.map(
    ({ vector, ...direction }, i): LandscapeAxis => ({
      ...direction,
      steps: steps[i]!,
      norm: norm(vector),
      slope: dot(g, vector),
      curvature: dot(vector, products[i]!),
    }),
  );
  const [first, second] = directions;
  const mixed = second && dot(second.vector, products[0]!);
  const height = (a: number, b: number) =>
    axes.reduce((sum, { slope, curvature }, i) => {
      const step = i === 0 ? a : b;
      return sum + slope * step + (curvature * step * step) / 2;
    }, loss) +
    (mixed ?? 0) * a * b;
  const cosine = second && dot(first!.vector, second.vector) / (axes[0]!.norm * axes[1]!.norm);
  return {
    axes,
    quadratic: steps[0]!.map((a) => Float64Array.from(steps[1] ?? [0], (b) => height(a, b))),
    loss,
    ...(second && { mixedCurvature: mixed!, cosine: cosine! }),
    message:
      cosine !== undefined && Math.abs(cosine) > 1e-3
        ? `the directions are not orthogonal: the cosine of their angle is ${cosine.toFixed(3)}, so distances in the picture are not those between weights`
        : "",
  };
}
