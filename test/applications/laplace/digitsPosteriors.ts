import { arrays, type Data } from "../../../src/index.ts";
import { applicationFixture, digitsRows } from "../digits.ts";

/** The contents of digits_laplace.json. */
export const fixture = applicationFixture("digits_laplace");

/** Options of the approximations in it. */
export const APPROXIMATIONS = {
  all_full: { structure: "full" },
  all_kron: { structure: "kfac" },
  all_diag: { structure: "diagonal" },
  last_layer_full: { structure: "full", weights: "lastLayer" },
  last_layer_kron: { structure: "kfac", weights: "lastLayer" },
  last_layer_diag: { structure: "diagonal", weights: "lastLayer" },
  all_full_empirical_fisher: { structure: "full", of: "empiricalFisher" },
  all_diag_empirical_fisher: { structure: "diagonal", of: "empiricalFisher" },
} as const;

/** The eight test rows of the fixture, without labels. */
export async function chosenRows(): Promise<Data> {
  const positions: readonly number[] = fixture.test.position_in_test;
  const x = new Float64Array(positions.length * 64);
  for await (const { inputs } of digitsRows("test").batches()) {
    const { data } = Object.values(inputs)[0]!;
    positions.forEach((row, k) => {
      x.set((data as Float64Array).subarray(row * 64, (row + 1) * 64), k * 64);
    });
  }
  return arrays({ inputs: { data: x, dims: [positions.length, 64] } });
}
