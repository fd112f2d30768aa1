import type { PreparedModel } from "../prepared/preparedModel.ts";
import { type Candidate, type Evidence, isConstant, isWeight } from "./evidence.ts";

/** Naming rules of an exporter. */
interface Habit {
  readonly exporter: string;
  /** Whether a file is the exporter's. */
  wrote(model: Pick<PreparedModel, "producer" | "nodes">): boolean;
  readonly parameters: RegExp;
  /** Names of numbers of the code; where such a tensor is the operand of a layer, that decides. */
  readonly constants: RegExp;
}

const HABITS: readonly Habit[] = [
  {
    exporter: "tf2onnx",
    wrote: ({ producer }) => producer.startsWith("tf2onnx"),
    // Variables are read by an operation of this name; fused ones are renamed.
    parameters: /ReadVariableOp|_(weights|bias)_fused_bn$/,
    constants: /^const(_fold_opt)?__\d+|(^|\/)Const(_\d+)?(:0)?$|\/[xy](:0)?$/,
  },
  {
    exporter: "paddle2onnx",
    wrote: ({ producer, nodes }) => /paddle/i.test(producer) || nodes.some(({ name }) => name.startsWith("p2o.")),
    parameters: /\.[wb]_\d+(_deepcopy_\d+)?$/,
    constants: /^(p2o\.|auto\.)?(helper\.)?constant[._]\d+$/i,
  },
  {
    exporter: "skl2onnx",
    wrote: ({ producer }) => producer.startsWith("skl2onnx"),
    parameters: /^(coefficient|intercepts?)\d*$/,
    constants: /cst\d*$|^(shape_tensor|classes|zero|one)/,
  },
];

/** Evidence from the name of a tensor; undefined for other exporters and other names. */
export function namingEvidence(
  { name, usage }: Candidate,
  model: Pick<PreparedModel, "producer" | "nodes">,
): Evidence | undefined {
  const habit = HABITS.find(({ wrote }) => wrote(model));
  if (habit === undefined || usage?.kind === "statistics" || usage?.kind === "layer") return undefined;
  if (habit.parameters.test(name)) return isWeight("storage", `named as ${habit.exporter} names weights`);
  if (habit.constants.test(name)) return isConstant("storage", `named as ${habit.exporter} names numbers of the code`);
  return undefined;
}
