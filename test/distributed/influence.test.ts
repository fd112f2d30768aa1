import { expect } from "vitest";
import { runRanks, testWith } from "./mpiRun.ts";

testWith("openMpi")("influence on two ranks gives the scores of one process, each rank those of its rows", async () => {
  const { code, stdout, stderr } = await runRanks("influence", { ranks: 2, args: [] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { worst, rows, refused } = JSON.parse(stdout);
  expect(worst).toBeLessThan(1e-10);
  expect(rows).toBe(11);
  expect(refused).toMatch(/^selfInfluence needs all training rows in one process, but this risk has 5 of 11/);
});
