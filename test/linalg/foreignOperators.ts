import type { LinearOperator } from "../../src/linalg/index.ts";
import { column, type Matrix, type Vector } from "../../src/tensors/index.ts";

// Operators as others may write them: some keep to the contract in an unusual way, some break it.

/** The operator with another way to hand over its products; adjoints, where it has them, likewise. */
function handedOver(A: LinearOperator, handOver: (y: Vector) => unknown): LinearOperator {
  const { matmat: _, quadraticForms: __, adjoint, ...rest } = A;
  return {
    ...rest,
    matvec: async (x) => handOver(await A.matvec(x)) as Vector,
    ...(adjoint && { adjoint: () => handedOver(adjoint(), handOver) }),
  };
}

/** The operator with a `matmat` that hands over its products in another way. */
function handedOverTogether(A: LinearOperator, handOver: (Y: Matrix) => unknown): LinearOperator {
  const [rows] = A.shape;
  const together = async (X: Matrix): Promise<Matrix> => {
    const data = new Float64Array(rows * X.columns);
    for (let k = 0; k < X.columns; k++) data.set(await A.matvec(column(X, k)), k * rows);
    return { rows, columns: X.columns, data };
  };
  return { ...A, matmat: async (X) => handOver(await together(X)) as Matrix };
}

/** Writes every product into the same memory, of as many arrays as `count`, by turns. */
function reusing(count: number, fresh: (length: number) => Float64Array = (length) => new Float64Array(length)) {
  const arrays: Float64Array[] = [];
  let next = 0;
  return (y: Vector): Float64Array => {
    arrays[next % count] ??= fresh(y.length);
    const array = arrays[next++ % count]!;
    array.set(y);
    return array;
  };
}

/** One line from the method that makes the product; methods within methods put themselves in front. */
const said = (text: string) =>
  new RegExp(
    `^(\\w+ expected product \\d+ of the operator, which failed: )?\\w+ expected ${text}(; resume from error.state)?$`,
  );

const AGAIN = said(
  "a new array for each product, got one that the operator has returned before.*return a copy, y\\.slice\\(\\)",
);
const NOT_A_VECTOR = said(
  "products to be a Float32Array or Float64Array of \\d+ entries, got (null|undefined|an Array|an object of type Int32Array); correct matvec",
);
const LENGTH = said("products of \\d+ entries as the operator's shape says, got \\d+; correct its shape or matvec");
const MATRIX = said("matmat to give a matrix \\[\\d+, \\d+\\] with its entries .*; correct matmat");

/** Ways to break the contract of `matvec`, with the message that says so. */
export const brokenMatvecs: Readonly<
  Record<string, { readonly of: (A: LinearOperator) => LinearOperator; readonly message: RegExp }>
> = {
  "the same array each time": { of: (A) => handedOver(A, reusing(1)), message: AGAIN },
  "two arrays by turns": { of: (A) => handedOver(A, reusing(2)), message: AGAIN },
  "views of the same memory": {
    of: (A) => {
      const write = reusing(1);
      return handedOver(A, (y) => write(y).subarray(0));
    },
    message: AGAIN,
  },
  null: { of: (A) => handedOver(A, () => null), message: NOT_A_VECTOR },
  nothing: { of: (A) => handedOver(A, () => undefined), message: NOT_A_VECTOR },
  "an Array": { of: (A) => handedOver(A, (y) => Array.from(y)), message: NOT_A_VECTOR },
  integers: { of: (A) => handedOver(A, (y) => Int32Array.from(y)), message: NOT_A_VECTOR },
  "one entry too few": { of: (A) => handedOver(A, (y) => y.slice(1)), message: LENGTH },
  "one entry too many": { of: (A) => handedOver(A, (y) => Float64Array.of(...y, 0)), message: LENGTH },
};

/** Ways to break the contract of `matmat`. */
export const brokenMatmats: typeof brokenMatvecs = {
  "the same array each time": {
    of: (A) => {
      const memory = new Float64Array(A.shape[0] * 64);
      return handedOverTogether(A, (Y) => {
        memory.set(Y.data);
        return { ...Y, data: memory.subarray(0, Y.data.length) };
      });
    },
    message: AGAIN,
  },
  null: { of: (A) => handedOverTogether(A, () => null), message: MATRIX },
  "a vector": { of: (A) => handedOverTogether(A, (Y) => Y.data), message: MATRIX },
  "one column too few": {
    of: (A) => handedOverTogether(A, (Y) => ({ ...Y, columns: Y.columns - 1 })),
    message: MATRIX,
  },
  "one entry too few": {
    of: (A) => handedOverTogether(A, (Y) => ({ ...Y, data: Y.data.slice(1) })),
    message: MATRIX,
  },
};

/** Unusual ways to keep the contract. */
export const unusualMatvecs: Readonly<Record<string, (A: LinearOperator) => LinearOperator>> = {
  "parts of one larger array": (A) => {
    const products = new Float64Array(A.shape[0] * 4000);
    let count = 0;
    return handedOver(A, (y) => {
      const part = products.subarray(count * y.length, ++count * y.length);
      part.set(y);
      return part;
    });
  },
};

/** Identity that returns the vector it is given. */
export function returningItsArgument(n: number): LinearOperator {
  return { shape: [n, n], dtype: "float64", symmetric: true, psd: true, matvec: async (x) => x };
}
