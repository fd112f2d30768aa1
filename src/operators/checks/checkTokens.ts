import { describePosition } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Model } from "../../models/index.ts";
import type { BoundData } from "../engine/riskData.ts";

/**
 * Checks the inputs that choose rows of a table (token ids of an embedding) against its number of rows. One pass over the data, none if the
 * model has no such input.
 *
 * @throws CurvatureError "data" naming the first id out of range, with its row and the size of the table
 */
export async function checkTokens({ tokenInputs = {}, name: file }: Model, { data, bind }: BoundData): Promise<void> {
  const tables = Object.entries(tokenInputs);
  if (tables.length === 0) return;
  for await (const batch of data.batches()) {
    const { inputs } = bind(batch);
    for (const [name, { table, rows }] of tables) {
      const tensor = inputs[name];
      if (tensor === undefined) continue;
      const { data: ids, dims } = tensor;
      const perRow = ids.length / Math.max(1, dims[0]);
      for (let i = 0; i < ids.length; i++) {
        const id = Number(ids[i]);
        if (id >= -rows && id < rows) continue;
        throw new CurvatureError(
          "data",
          `${data.description}: input "${name}" at ${describePosition(batch.start * perRow + i, dims.slice(1))} is the token ${id}, expected 0 to ${rows - 1}, since "${table}" of ${file} has ${rows} rows; use the tokenizer of this model`,
        );
      }
    }
  }
}
