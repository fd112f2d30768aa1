import { describe, expect, test } from "vitest";
import { dense, identity, type LinearOperator, matmat, toDense } from "../../src/linalg/index.ts";
import { product, randomMatrix, relativeDifference } from "./randomMatrices.ts";

/** Counts the products of an operator. */
function counted(A: LinearOperator): LinearOperator & { readonly calls: { matvec: number; matmat: number } } {
  const calls = { matvec: 0, matmat: 0 };
  const matvec: LinearOperator["matvec"] = (x, options) => {
    calls.matvec++;
    return A.matvec(x, options);
  };
  return { shape: A.shape, dtype: A.dtype, symmetric: A.symmetric, psd: A.psd, matvec, calls };
}

describe("matmat and toDense", () => {
  test("go column by column where the operator has no matmat, and say how far they are", async () => {
    const M = randomMatrix(4, 3, 14);
    const A = counted(dense(M));
    const seen: number[] = [];
    const X = randomMatrix(3, 5, 15);
    const Y = await matmat(A, X, { onProgress: ({ done }) => seen.push(done) });
    expect(relativeDifference(Y.data, product(M, X).data)).toBeLessThan(1e-14);
    expect(A.calls.matvec).toBe(5);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test("toDense spends one product a column, at most columnsAtOnce at a time", async () => {
    const M = randomMatrix(4, 7, 16);
    const widths: number[] = [];
    const B = dense(M);
    const A: LinearOperator = {
      ...B,
      matmat(X, options) {
        widths.push(X.columns);
        return B.matmat!(X, options);
      },
    };
    const seen: string[] = [];
    const D = await toDense(A, {
      columnsAtOnce: 3,
      onProgress: ({ stage, done, total }) => seen.push(`${stage} ${done}/${total}`),
    });
    expect(D.data).toEqual(M.data);
    expect(widths).toEqual([3, 3, 1]);
    expect(seen).toEqual(["toDense 3/7", "toDense 6/7", "toDense 7/7"]);
  });

  test("toDense gives the columns that are asked for", async () => {
    const M = randomMatrix(4, 7, 17);
    const A = counted(dense(M));
    const D = await toDense(A, { columns: [5, 0, 5] });
    expect(D).toEqual({
      rows: 4,
      columns: 3,
      data: Float64Array.of(...M.data.slice(20, 24), ...M.data.slice(0, 4), ...M.data.slice(20, 24)),
    });
    expect(A.calls.matvec).toBe(3);
  });

  test("stop when the signal says so", async () => {
    const controller = new AbortController();
    const A = counted(dense(randomMatrix(2, 6, 18)));
    const stop = toDense(A, { columnsAtOnce: 2, signal: controller.signal, onProgress: () => controller.abort() });
    await expect(stop).rejects.toMatchObject({ code: "aborted", message: "toDense was aborted after 2 of 6 columns" });
    expect(A.calls.matvec).toBe(2);
    await expect(matmat(A, randomMatrix(6, 2, 0), { signal: controller.signal })).rejects.toThrow(
      "matmat was aborted after 0 of 2 products",
    );
    await expect(matmat(identity(2), randomMatrix(2, 2, 0), { signal: controller.signal })).rejects.toThrow(
      /aborted after 0 of 2/,
    );
  });

  test("toDense refuses columns that there are not, and what cannot fit", async () => {
    await expect(toDense(identity(2), { columns: [2] })).rejects.toThrow(
      "toDense expects columns to be integers from 0 to 1, got 2 at position 0",
    );
    await expect(toDense(identity(2), { columns: [] })).rejects.toThrow(
      "toDense expects at least one column, got an empty list",
    );
    await expect(toDense(identity(2), { columnsAtOnce: 0 })).rejects.toThrow(
      "toDense expects columnsAtOnce to be a positive integer, got 0",
    );
    await expect(toDense(identity(2 ** 40))).rejects.toThrow(
      /toDense of \[1099511627776, 1099511627776\] .* does not fit into memory/,
    );
  });
});
