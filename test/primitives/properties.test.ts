import { describe, expect, test } from "vitest";
import type { Sample } from "./sample.ts";
import { type Samples, samples } from "./samples.ts";
import { violations } from "./violations.ts";

const named: [string, Sample][] = Object.entries(samples);

describe("rules of every primitive", () => {
  test.each(named)("%s", async (_, sample) => {
    expect(sample.length).toBeGreaterThan(0);
    for (const [i, one] of sample.entries()) expect(await violations(one, i), `case ${i}`).toEqual([]);
  });

  test("a primitive without a sample does not compile", () => {
    // @ts-expect-error all samples but one are missing
    const incomplete: Samples = { add: samples.add };
    expect(Object.keys(incomplete)).toEqual(["add"]);
  });
});
