const ALL = process.env.ONNX_CURVATURE_ALL_CASES === "1";

/**
 * Cases of a table of tests that `npm test` runs: the first, and others evenly spread over the table. All of them with
 * `ONNX_CURVATURE_ALL_CASES=1`, as in `.ci/run` and `npm run test:long`.
 */
export function sampled<T>(cases: readonly T[], count: number): readonly T[] {
  if (ALL || cases.length <= count) return cases;
  return Array.from({ length: count }, (_, i) => cases[Math.floor((i * cases.length) / count)]!);
}
