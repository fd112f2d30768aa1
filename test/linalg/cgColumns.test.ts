import { describe, expect, test } from "vitest";
import { cg, cgColumns } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { counted, failing, geometric, range, rotated } from "./knownOperators.ts";
import { randomMatrix } from "./randomMatrices.ts";

describe("cgColumns", () => {
  const values = geometric(50, 0.85);
  const B = randomMatrix(50, 3, 5);
  test("gives what cg gives for each column, with their products made together", async () => {
    const A = counted(rotated(values), { matmat: true });
    const result = await cgColumns(A, B);
    expect(result.status, result.message).toBe("converged");
    expect(A.count()).toBe(result.matvecs);
    expect(A.calls()).toBeLessThan(A.count() / 2);
    for (let k = 0; k < 3; k++) {
      const single = await cg(rotated(values), column(B, k));
      expect(column(result.x, k)).toEqual(single.x);
      expect(result.results[k]!.matvecs).toBe(single.matvecs);
    }
  });
  test("shares its budget, says which column failed, and resumes after a failure", async () => {
    const A = counted(rotated(values), { matmat: true });
    const short = await cgColumns(A, B, { matvecs: 31 });
    expect(short.status).toBe("budget");
    expect(A.count()).toBeLessThanOrEqual(31);
    const indefinite = await cgColumns(rotated(range(50, (i) => i - 5)), B);
    expect(indefinite.status).toBe("indefinite");
    expect(indefinite.message).toMatch(/^\d of 3 right-hand sides are solved; of another: A has negative curvature/);
    const broken = failing(rotated(values), 14, () => {
      throw new RangeError("gone");
    });
    const error = await cgColumns(broken, B).catch((thrown: { state: never }) => thrown);
    const resumed = await cgColumns(rotated(values), B, { state: structuredClone((error as { state: never }).state) });
    expect(resumed).toEqual(await cgColumns(rotated(values), B));
    await expect(cgColumns(A, B, { matvecs: 2 })).rejects.toThrow("at least the number of right-hand sides, 3, got 2");
  });
});
