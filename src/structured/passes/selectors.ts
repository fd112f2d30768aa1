import { constant, type Value } from "../../graph/index.ts";
import { broadcast, mul, reshape } from "../../primitives/index.ts";

/** The V unit vectors as u of every term: [V, T, V]. */
export function identityColumns(terms: number, columns: number): Value {
  return broadcast(reshape(identityMatrix(columns), [columns, 1, columns]), [columns, terms, columns]);
}

/** The identity matrix [n, n]. */
export function identityMatrix(n: number): Value {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return constant({ data, dims: [n, n] });
}

/** The choice of a column of the root and of the terms of each row, for K passes. */
export interface Selectors {
  /** The column, [K, V]. */
  readonly columns: Value;
  /** The factor of the term at each position of a row, [K, P]. */
  readonly positions: Value;
  /** Signs of all terms, [T]; none where each pass holds one term of a row. */
  readonly signs: Value | undefined;
}

/** u of every term in K passes, [K, T, V]. */
export function selected({ columns, positions, signs }: Selectors, rows: number): Value {
  const [passes, V] = columns.shape;
  const P = positions.shape[1];
  const each = mul(reshape(columns, [passes, 1, 1, V]), reshape(positions, [passes, 1, P, 1]));
  const ofRows = broadcast(each, [passes, rows, P, V]);
  const signed = signs === undefined ? ofRows : mul(ofRows, reshape(signs, [1, rows, P, 1]));
  return reshape(signed, [passes, rows * P, V]);
}
