import { CurvatureError } from "../../errors/index.ts";
import type { Risk } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import { chosenRows, collectedRows } from "../chosenRows.ts";

/** Risks on parts of the rows, in which a pass over the data is split. */
export interface Minibatches {
  /** The risk of a step, counted from 0; the order of the parts is drawn anew for each pass. */
  at(step: number): Risk;
  dispose(): Promise<void>;
}

/**
 * Splits the rows of a risk at random into parts of `rows`, the last one smaller, and makes a risk on each, once; all data are copied into memory. Drawing the
 * order anew for each pass, but not the parts, saves the checks of new data at each step.
 *
 * @throws CurvatureError "unsupported" for rows that influence one another and for a loss that is a sum
 */
export async function minibatches(
  risk: Risk,
  { rows, seed }: { readonly rows: number; readonly seed: number },
): Promise<Minibatches> {
  if (risk.coupledRows || risk.lossFunction.reduction === "sum") {
    const why = risk.coupledRows ? "rows that influence one another" : 'a loss with reduction "sum"';
    throw new CurvatureError("unsupported", `batchRows: ${why} cannot be trained on in parts; leave batchRows out`);
  }
  const all = await collectedRows(risk.data);
  const order = shuffled(risk.rows, seed, "rows", 0);
  const parts: Risk[] = [];
  for (let start = 0; start < order.length; start += rows) {
    parts.push(
      await risk.on(
        chosenRows(all, {
          chosen: order.slice(start, start + rows),
          data: risk.data,
          what: `${Math.min(rows, order.length - start)} rows at random`,
        }),
      ),
    );
  }
  return {
    at: (step) => parts[shuffled(parts.length, seed, "pass", Math.floor(step / parts.length))[step % parts.length]!]!,
    async dispose() {
      for (const part of parts) await part.dispose();
    },
  };
}

/** A random order of 0, ..., count - 1 (Fisher and Yates). */
function shuffled(count: number, seed: number, name: string, index: number): number[] {
  const random = stream(seed, name, index);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
