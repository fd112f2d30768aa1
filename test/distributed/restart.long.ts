import { expect, test } from "vitest";
import { stream } from "../../src/random/index.ts";
import { launchers } from "./mpiRun.ts";
import { expectSameAfterKill, undisturbed } from "./restartSuite.ts";

test.skipIf(launchers.openMpi === undefined)(
  "runs that are killed early, and twenty at random moments, end with the bits of an undisturbed one",
  async () => {
    const expected = await undisturbed({ ranks: 2 });
    await expectSameAfterKill(5, expected, { ranks: 2 });
    const random = stream(7, "kills");
    for (let i = 0; i < 20; i++) {
      const killAt = 1 + Math.floor(random.uniform() * (expected.steps - 1));
      await expectSameAfterKill(killAt, expected, { ranks: 2 });
    }
    expect.assertions(1 + 21 * 6);
  },
  1_200_000,
);
