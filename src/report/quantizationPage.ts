import type { BitPlan } from "../applications/quantization/bitPlan.ts";
import type { CompensatedLayer } from "../applications/quantization/compensatedTensors.ts";
import type { FileLoss } from "../applications/quantization/measureFile.ts";
import type { PlanLoss } from "../applications/quantization/measurePlan.ts";
import type { QuantizationSensitivity } from "../applications/quantization/sensitivity.ts";

/** A quantization plan with what it was made of and what was measured: the contents of plan.json. */
export interface QuantizationPage {
  /** Name of the model's file. */
  readonly model: string;
  /** Name of the data. */
  readonly data: string;
  readonly rows: number;
  /** Name of the curvature matrix. */
  readonly matrix: string;
  readonly sensitivity: QuantizationSensitivity;
  readonly plan: BitPlan;
  readonly planned: PlanLoss;
  /** The plan with each weight at its nearest point, where weights were rounded with compensation. */
  readonly withoutCompensation?: PlanLoss;
  readonly compensated?: readonly CompensatedLayer[];
  readonly comparison: readonly ComparedSize[];
  /** Loss of the written file by ONNX Runtime, and sizes of the files in bytes. */
  readonly file: {
    readonly rows?: FileLoss;
    readonly test?: FileLoss;
    /** Why it was not measured. */
    readonly reason?: string;
    readonly bytesBefore: number;
    readonly bytes: number;
  };
  readonly stored: readonly StoredTensorRow[];
  readonly warnings: readonly string[];
}

/** All tensors at the same bits, and the plan of at most that size. */
export interface ComparedSize {
  readonly bits: number;
  readonly uniform: PlanLoss;
  /** Bits of each tensor in the plan. */
  readonly planBits: readonly number[];
  readonly usedBits: number;
  readonly planned: PlanLoss;
}

/** A tensor in the written file. */
export interface StoredTensorRow {
  readonly parameter: string;
  readonly bits: number;
  readonly storedAs: string;
  readonly axis?: number;
  readonly bytesBefore: number;
  readonly bytes: number;
}
