import type { Communicator } from "../../distributed/index.ts";
import type { Loss } from "../../losses/index.ts";
import type { Model } from "../../models/index.ts";
import type { Precision } from "../../tensors/index.ts";
import type { RiskParameter, RiskSettings } from "./risk.ts";
import type { SharedEngine } from "./riskEngine.ts";

/** How sums over several ranks are taken. */
export interface Ranks {
  readonly communicator: Communicator;
  readonly reduction: "tree" | "ordered";
  /** Whether Krylov bases are split over the ranks. */
  readonly splitBasis: boolean;
}

/** The properties that a risk shares with all risks made from it. */
export interface RiskFamily {
  readonly model: Model;
  readonly loss: Loss;
  readonly dtype: Precision;
  readonly outputs: readonly string[];
  readonly parameters: readonly RiskParameter[];
  readonly engine: SharedEngine;
  readonly cache: number;
  readonly threads: RiskSettings["threads"];
  /** Whether rows may influence one another. If so, all rows are one batch, or each group that the file computes at once is. */
  readonly coupledRows: boolean;
  /** The ranks over which sums are taken; absent for one process whose sums are taken as they come. */
  readonly ranks?: Ranks;
}
