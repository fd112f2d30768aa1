import { CurvatureError } from "../errors/index.ts";
import {
  apply,
  areOperationsApart,
  broadcastShapes,
  type Lowering,
  type Primitive,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { add, arithmeticPrimitives, mul, scale } from "./arithmetic.ts";
import { broadcast, sumTo, zeros } from "./broadcast.ts";
import { permutedFrom, reshape, reshapedFrom } from "./movement.ts";
import { writtenTranspose } from "./writtenTranspose.ts";

/** Which operands are transposed (their last two axes) before the product. */
export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

type MatmulParams = Required<MatmulOptions>;

/**
 * Columns of a product `A' B` from which on it is faster to write A' down first, which costs as much as some 30 columns (measured for A
 * of 32 x 512 to 8192 x 64: 512 to 2304 columns gain 3 to 18 %, 64 lose).
 */
const WORTH_A_TRANSPOSE = 512;

const matmulPrimitive: Primitive<MatmulParams> = {
  name: "matmul",
  output([a, b], params) {
    const [m, k] = matrixShape(a, params.transposeA);
    const [k2, n] = matrixShape(b, params.transposeB);
    if (k !== k2) {
      throw new CurvatureError(
        "shape",
        `matmul: cannot multiply ${formatDims([m, k])} by ${formatDims([k2, n])}, of operands ${formatDims(a.shape)} and ${formatDims(b.shape)}`,
      );
    }
    const batch = broadcastShapes("matmul", [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
    return { shape: [...batch, m, n], type: a.type };
  },
  affine: ({ params: { transposeA, transposeB } }) => ({ kind: "product", transposed: [transposeA, transposeB] }),
  axes({ inputs: [a, b], params: { transposeA, transposeB }, shape }) {
    const rank = shape.length;
    const leading = (x: Value) => x.shape.slice(0, -2).map((_, axis) => axis + rank - x.shape.length);
    return [
      [...leading(a), ...(transposeA ? [null, rank - 2] : [rank - 2, null])],
      [...leading(b), ...(transposeB ? [rank - 1, null] : [null, rank - 1])],
    ];
  },
  simplify: ([a, b], params, { shape }) =>
    a.uniform === 0 || b.uniform === 0 ? zeros(shape) : withoutNumbers(a, b, params),
  jvp({ inputs: [a, b], params, shape }, [da, db]) {
    const left = da && matmul(da, b, params);
    const right = db && matmul(a, db, params);
    return broadcast(left && right ? add(left, right) : (left ?? right)!, shape);
  },
  // With A and B the operands as they enter the product: dA = C B', dB = A' C, each transposed where its operand is.
  transpose({ inputs: [a, b], params: { transposeA, transposeB } }, c, [la, lb]) {
    const da = () =>
      transposeA
        ? matmul(b, c, { transposeA: transposeB, transposeB: true })
        : matmul(c, b, { transposeB: !transposeB });
    const db = () =>
      transposeB
        ? matmul(c, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, c, { transposeA: !transposeA });
    return [la ? sumTo(da(), a.shape) : null, lb ? sumTo(db(), b.shape) : null];
  },
  vectorize({ params, shape }, inputs, batched, size) {
    const aligned = inputs.map((x, i) => {
      if (!batched[i]) return x;
      const missing = shape.length + 1 - x.shape.length;
      return reshape(x, [size, ...new Array<number>(missing).fill(1), ...x.shape.slice(1)]);
    });
    return matmul(aligned[0], aligned[1], params);
  },
  alternative({ inputs: [a, b], params: { transposeA, transposeB }, shape }, precision) {
    const gains = shape.length === 2 && transposeA && !transposeB && shape[1] >= WORTH_A_TRANSPOSE;
    return gains && precision === "float32" ? matmul(writtenTranspose(a), b) : undefined;
  },
  lower({ inputs: [a, b], params: { transposeA, transposeB } }, context) {
    const operands = [context.name(a), context.name(b)];
    if (!transposeA && !transposeB) return context.node("MatMul", operands);
    if (a.shape.length === 2 && b.shape.length === 2) {
      return context.node("Gemm", operands, {
        transA: { int: Number(transposeA) },
        transB: { int: Number(transposeB) },
      });
    }
    if (!context.portable) {
      const flags = { transA: { int: Number(transposeA) }, transB: { int: Number(transposeB) } };
      return context.node("FusedMatMul", operands, flags, "com.microsoft");
    }
    const swap = (name: string, shape: Shape) =>
      context.node("Transpose", [name], { perm: { ints: swapped(shape.length) } });
    return context.node("MatMul", [
      transposeA ? swap(operands[0], a.shape) : operands[0],
      transposeB ? swap(operands[1], b.shape) : operands[1],
    ]);
  },
  // A product of matrices plus a row, a column or a matrix is one Gemm.
  lowerSum(node, addend, context, factor = 1) {
    return addend.shape.length > 2 ? undefined : lowerGemm(node, { factor, addend: addend.name }, context);
  },
  lowerScaled: (node, factor, context) => lowerGemm(node, { factor }, context),
  format: ({ transposeA, transposeB }) =>
    [transposeA ? "transposeA" : "", transposeB ? "transposeB" : ""].filter(Boolean).join(", "),
};

/** factor (A B + addend) of matrices, where the factor is exact in float32, as which nodes keep it. */
function lowerGemm(
  { inputs: [a, b], params: { transposeA, transposeB } }: Value<MatmulParams>,
  { factor, addend }: { readonly factor: number; readonly addend?: string },
  context: Lowering,
): string | undefined {
  const inexact = context.precision === "float64" && Math.fround(factor) !== factor;
  if (a.shape.length !== 2 || b.shape.length !== 2 || inexact) return undefined;
  const operands = [context.name(a), context.name(b), ...(addend === undefined ? [] : [addend])];
  return context.node("Gemm", operands, {
    transA: { int: Number(transposeA) },
    transB: { int: Number(transposeB) },
    ...(factor !== 1 && { alpha: { float: factor }, beta: { float: factor } }),
  });
}

function matrixShape({ shape }: Value, transposed: boolean): readonly [number, number] {
  if (shape.length < 2)
    throw new CurvatureError("shape", `matmul: operands need at least 2 axes, got ${formatDims(shape)}`);
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}

function swapped(rank: number): number[] {
  return [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2];
}

/**
 * Matrix products of the last two axes, `[..., m, k] [..., k, n] -> [..., m, n]`; leading axes broadcast. Where one right
 * matrix serves a whole batch, the batch is folded into the rows: one large product instead of many small ones. Numbers by which
 * the columns of many rows are multiplied, and those then added to them (scale and shift of LayerNorm), multiply the matrix instead.
 */
export function matmul(a: Value, b: Value, { transposeA = false, transposeB = false }: MatmulOptions = {}): Value {
  const rank = a.shape.length;
  if (b.shape.length === 2 && !transposeA && !areOperationsApart()) {
    const scaled = scaledColumns(a, b.shape[transposeB ? 0 : 1]);
    if (scaled !== undefined) return productOfScaled(scaled, b, transposeB);
  }
  if (b.shape.length === 2 && rank > 2 && !transposeA) {
    const rows = a.shape.slice(0, -1);
    const flat = reshape(a, [rows.reduce((product, dim) => product * dim, 1), a.shape[rank - 1]]);
    const product = matmul(flat, b, { transposeB });
    return reshape(product, [...rows, product.shape[1]]);
  }
  const operands = [a, b].map((x, i) => withoutTranspose(x, [transposeA, transposeB][i]));
  return apply(
    matmulPrimitive,
    operands.map(({ value }) => value),
    {
      transposeA: operands[0].transposed,
      transposeB: operands[1].transposed,
    },
  );
}

/** Numbers beyond this, or one over it, stay apart: their product could leave the range of float32 where the results do not. */
const LEAST_FACTOR = 1e-30;

/** The product of operands that are multiplied by numbers, these moved to the smallest of operands and product; undefined where they are there. */
function withoutNumbers(a: Value, b: Value, options: MatmulOptions): Value | undefined {
  if (areOperationsApart()) return undefined;
  const [p, q] = [timesNumber(a), timesNumber(b)];
  if (p === undefined && q === undefined) return undefined;
  const factor = (p?.factor ?? 1) * (q?.factor ?? 1);
  if (!(Math.abs(factor) > LEAST_FACTOR && Math.abs(factor) < 1 / LEAST_FACTOR)) return undefined;
  const [x, y] = [p?.x ?? a, q?.x ?? b];
  const product = matmul(x, y, options);
  const [left, right, result] = [x, y, product].map(({ shape }) => sizeOf(shape));
  if (result <= Math.min(left, right)) return scale(product, factor);
  if (left < right) return q && matmul(scale(x, factor), y, options);
  return p && matmul(x, scale(y, factor), options);
}

/** A value as another one, itself no such product, times a number. A loop, since networks are deeper than the stack of JavaScript. */
function timesNumber(value: Value): { readonly x: Value; readonly factor: number } | undefined {
  let current = value;
  let factor = 1;
  for (let next = oneNumberOff(current); next !== undefined; next = oneNumberOff(current)) {
    current = next.x;
    factor *= next.factor;
  }
  return current === value ? undefined : { x: reshape(current, value.shape), factor };
}

function oneNumberOff(value: Value): { readonly x: Value; readonly factor: number } | undefined {
  const { primitive, inputs } = reshapedFrom(value) ?? value;
  if (primitive !== arithmeticPrimitives.mul || value.type !== "float") return undefined;
  const isNumber = ({ uniform, shape }: Value) => uniform !== undefined && sizeOf(shape) === 1;
  const [x, number] = isNumber(inputs[1]) ? inputs : [inputs[1], inputs[0]];
  return isNumber(number) && sizeOf(x.shape) === sizeOf(value.shape) ? { x, factor: number.uniform! } : undefined;
}

/** Rows a column of the matrix from which on it is the matrix that is multiplied: the passes over it are then few of those over the rows. */
const WORTH_SCALING = 4;

/** An operand as x times a number a column plus another. */
interface ScaledColumns {
  readonly x: Value;
  readonly gain: Value;
  readonly shift: Value | undefined;
}

function scaledColumns(a: Value, columns: number): ScaledColumns | undefined {
  const { shape } = a;
  const k = shape[shape.length - 1];
  if (shape.length < 2 || sizeOf(shape) < WORTH_SCALING * k * columns) return undefined;
  const shifted = withRow(reshapedFrom(a) ?? a, arithmeticPrimitives.add, k);
  const scaled = withRow(shifted?.x ?? reshapedFrom(a) ?? a, arithmeticPrimitives.mul, k);
  return scaled && { x: reshape(scaled.x, shape), gain: scaled.row, shift: shifted?.row };
}

/** The operands of a sum or product of a tensor and a row of k numbers. */
function withRow(
  { primitive, inputs, shape }: Value,
  operation: Primitive,
  k: number,
): { readonly x: Value; readonly row: Value } | undefined {
  if (primitive !== operation || shape[shape.length - 1] !== k) return undefined;
  const isRow = (x: Value) => x.shape[x.shape.length - 1] === k && sizeOf(x.shape) === k;
  const [a, b] = inputs;
  const [x, row] = isRow(b) ? [a, b] : [b, a];
  return isRow(row) && sizeOf(x.shape) === sizeOf(shape) ? { x, row: reshape(row, [k]) } : undefined;
}

/** (x g + s) B as x (g B) + s B, as often as x is of that form again. */
function productOfScaled(scaled: ScaledColumns, b: Value, transposeB: boolean): Value {
  const columns = b.shape[transposeB ? 0 : 1];
  const rows: Value[] = [];
  let [x, right] = [scaled.x, b];
  for (let next: ScaledColumns | undefined = scaled; next !== undefined; next = scaledColumns(x, columns)) {
    const { gain, shift } = next;
    const [k] = gain.shape;
    if (shift !== undefined) rows.push(matmul(reshape(shift, [1, k]), right, { transposeB }));
    right = mul(transposeB ? gain : reshape(gain, [k, 1]), right);
    x = next.x;
  }
  const product = matmul(x, right, { transposeB });
  return rows.length === 0 ? product : add(product, reshape(rows.reduce(add), [columns]));
}

/** An operand that is itself the transpose of a matrix enters as that matrix with the flag turned. */
function withoutTranspose(x: Value, transposed: boolean): { readonly value: Value; readonly transposed: boolean } {
  const permuted = permutedFrom(x);
  const isTranspose = permuted?.axes.join() === swapped(x.shape.length).join();
  return permuted && isTranspose ? { value: permuted.value, transposed: !transposed } : { value: x, transposed };
}

/** A and B of a product `A B'`, if the value is one. */
export function rightTransposed({ primitive, inputs, params }: Value): readonly [Value, Value] | undefined {
  if (primitive !== (matmulPrimitive as Primitive)) return undefined;
  const { transposeA, transposeB } = params as MatmulParams;
  return transposeB && !transposeA ? [inputs[0], inputs[1]] : undefined;
}

/**
 * A product of two matrices with its right one replaced, which `replace` is given with the axis that the columns of the product lie along;
 * undefined for any other value.
 */
export function productWith(
  { primitive, inputs: [a, b], params, shape }: Value,
  replace: (right: Value, axis: number) => Value,
): Value | undefined {
  if (primitive !== (matmulPrimitive as Primitive) || shape.length !== 2 || b.shape.length !== 2) return undefined;
  const options = params as MatmulParams;
  return matmul(a, replace(b, options.transposeB ? 0 : 1), options);
}
