import { sizeOf } from "../../../tensors/index.ts";
import type { Evidence } from "./evidence.ts";

/** A float tensor with its decision. */
export interface Decided {
  readonly constant: { readonly dims: readonly number[] };
  /** Its name for users. */
  readonly shown: string;
  readonly evidence: Evidence;
}

/** Most names that a notice lists. */
const NAMED = 6;

/** Sentences on what was decided for want of evidence, and on trained tensors that the exporter folded into others. */
export function choiceNotices(decided: readonly Decided[]): string[] {
  const uncertain = decided.filter(({ evidence }) => !evidence.certain);
  const among = (computed: boolean, weight: boolean) =>
    uncertain.filter(
      ({ evidence }) => (evidence.computedFrom !== undefined) === computed && evidence.weight === weight,
    );
  const [taken, left, whole, lost] = [among(false, true), among(false, false), among(true, true), among(true, false)];
  const weights = new Set(decided.filter(({ evidence }) => evidence.weight).map(({ shown }) => shown));
  const parents = new Set(lost.flatMap(({ evidence }) => evidence.computedFrom ?? []));
  const partial = [...parents].filter((name) => weights.has(name));
  return [
    taken.length > 0 &&
      `${counted(taken)} taken as ${noun(taken, "weight")} and could be ${noun(taken, "constant")}: ${listed(taken)}; leave out with parameters: { exclude } (--constants NAME).`,
    left.length > 0 &&
      `${counted(left)} left constant and could be ${noun(left, "weight")}: ${listed(left)}; take with parameters: { include } (--weights NAME).`,
    whole.length > 0 &&
      `${counted(whole)} computed by the exporter from trained tensors, which the file does not have, and taken as ${whole.length === 1 ? "the weight of its layer" : "the weights of their layers"}: ${origins(whole)}; leave out with parameters: { exclude } (--constants NAME).`,
    lost.length > 0 &&
      `${counted(lost)} computed by the exporter, perhaps from trained tensors, and left constant: ${origins(lost)}; take with parameters: { include } (--weights NAME), or export without constant folding.`,
    partial.length > 0 &&
      `Derivatives in ${withRest(partial)} lack what goes through ${lost.length === 1 ? "that tensor" : "those tensors"}, which the exporter computed beforehand.`,
  ].filter((notice) => notice !== false);
}

function counted(tensors: readonly Decided[]): string {
  const numbers = tensors.reduce((sum, { constant }) => sum + sizeOf(constant.dims), 0);
  const what = `${tensors.length} ${tensors.length === 1 ? "tensor" : "tensors"} with ${numbers} number${numbers === 1 ? "" : "s"}`;
  return `${what} ${tensors.length === 1 ? "was" : "were"}`;
}

/** "a weight" for one tensor, "weights" for several. */
function noun(tensors: readonly Decided[], word: string): string {
  return tensors.length === 1 ? `a ${word}` : `${word}s`;
}

function listed(tensors: readonly Decided[]): string {
  return withRest(tensors.map(({ shown }) => shown));
}

function origins(tensors: readonly Decided[]): string {
  return withRest(
    tensors.map(({ shown, evidence: { computedFrom = [] } }) =>
      computedFrom.length > 0 ? `${shown} (${withRest(computedFrom)})` : shown,
    ),
  );
}

function withRest(names: readonly string[]): string {
  return names.length > NAMED
    ? `${names.slice(0, NAMED - 1).join(", ")} and ${names.length - NAMED + 1} more`
    : names.join(", ");
}
