import { expect, test } from "vitest";
import { cg, damped, dense as denseOperator, type LinearOperator } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { denseBlock, kronecker, type PlacedBlock, structuredOperator } from "../../src/structured/index.ts";
import { expectClose } from "../operators/closeness.ts";
import { type DenseTruth, kron, normals, orthogonal, square, times, transposed } from "./denseTruth.ts";

/** A symmetric matrix with eigenvalues 1, 1/2, 1/4, ... in a random basis. */
function decaying(seed: number, n: number): DenseTruth {
  const Q = orthogonal(stream(seed, "decaying"), n);
  const scaled = { ...Q, data: Q.data.map((x, k) => x * 2 ** -Math.floor(k / n)) };
  const { data } = times(scaled, transposed(Q));
  for (let j = 0; j < n; j++) for (let i = 0; i < j; i++) data[i * n + j] = data[j * n + i];
  return square(n, data);
}

function placed(block: PlacedBlock["block"], offset = 0): PlacedBlock {
  return { block, name: `at ${offset}`, parameters: [0], place: { offset }, reason: "" };
}

const d = 1e-4;
const b = normals(stream(1, "right-hand side"), 48);

async function productsOf(A: LinearOperator, preconditioner?: LinearOperator): Promise<number> {
  const { x, status, matvecs } = await cg(damped(A, d), b, {
    tolerance: 1e-8,
    matvecs: 500,
    ...(preconditioner && { preconditioner }),
  });
  expect(status).toBe("converged");
  const y = await damped(A, d).matvec(x);
  expectClose(y, b, 1e-6);
  return matvecs;
}

test("cg with the exact inverse as preconditioner takes one step", async () => {
  const [A, B] = [decaying(1, 6), decaying(2, 8)];
  await using K = structuredOperator({ size: 48, blocks: [placed(kronecker({ A, B }))], dtype: "float64" });
  const matrix = denseOperator(kron(A, B), { psd: true });
  const alone = await productsOf(matrix);
  const preconditioned = await productsOf(matrix, K.inverse({ damping: d }));
  // One step, and one more product where cg verifies the residual.
  expect(preconditioned).toBeLessThanOrEqual(2);
  expect(alone).toBeGreaterThan(5 * preconditioned);
});

test("cg with an approximation of the matrix takes fewer steps than without, the better the fewer", async () => {
  for (const seed of [1, 2, 3]) {
    const [A, B] = [decaying(seed, 6), decaying(seed + 10, 8)];
    const r = stream(seed, "disturbance");
    // A Kronecker product that each row and column of is scaled a little.
    const scales = normals(r, 48).map((x) => Math.exp(0.2 * x));
    const whole = kron(A, B);
    const disturbed = square(
      48,
      whole.data.map((x, k) => x * scales[k % 48] * scales[Math.floor(k / 48)]),
    );
    const matrix = denseOperator(disturbed, { psd: true });
    await using K = structuredOperator({ size: 48, blocks: [placed(kronecker({ A, B }))], dtype: "float64" });
    const alone = await productsOf(matrix);
    const preconditioned = await productsOf(matrix, K.inverse({ damping: d }));
    expect(preconditioned).toBeLessThan(0.7 * alone);
    await using exact = structuredOperator({ size: 48, blocks: [placed(denseBlock(disturbed))], dtype: "float64" });
    expect(await productsOf(matrix, exact.inverse({ damping: d }))).toBeLessThanOrEqual(2);
  }
});
