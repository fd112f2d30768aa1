import type { Value } from "../../../graph/index.ts";
import { matmul, permute, reduceSum, reshape, slice } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, operand, string } from "./importedNode.ts";

/** A tensor with a letter for each axis. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

/** Sum of products in Einstein's notation, two operands at a time as one batch of matrix products. */
export function Einsum(node: ImportedNode): Value {
  const equation = string(node, "equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->");
  const written = left.split(",");
  const ranks = written.map((term, i) => operand(node, i).shape.length - [...term.replace("...", "")].length);
  const most = Math.max(0, ...ranks.filter((_, i) => written[i].includes("...")));
  const terms = written.map((term, i) => labelsOf(term, ranks[i], most));
  const result =
    right === undefined ? [...dotLabels(most, most), ...onceOnly(terms.flat())] : labelsOf(right, most, most);
  const given = terms.map((labels, i) => withoutRepeats({ value: operand(node, i), labels }));
  const operands = given.map((each) => withoutBroadcast(each, given));
  const product = operands.reduce((joined, next, i) => {
    const needed = new Set([...result, ...operands.slice(i + 1).flatMap(({ labels }) => labels)]);
    return multiply(joined, next, needed);
  });
  const { value, labels } = summed(product, (label) => result.includes(label));
  return permute(
    value,
    result.map((label) => labels.indexOf(label)),
  );
}

/** Labels of the axes that dots stand for, counted from the last one: operands may have fewer of them. */
function dotLabels(count: number, most: number): string[] {
  return Array.from({ length: count }, (_, i) => `.${most - count + i}`);
}

function isDot(label: string): boolean {
  return label.startsWith(".");
}

function labelsOf(term: string, dots: number, most: number): string[] {
  const [before, after] = term.split("...");
  return after === undefined ? [...before] : [...before, ...dotLabels(dots, most), ...after];
}

/** The diagonal over axes of one letter. */
function withoutRepeats({ value, labels }: Labelled): Labelled {
  const second = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (second < 0) return { value, labels };
  const first = labels.indexOf(labels[second]);
  const size = value.shape[first];
  const rest = labels.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  const flat = reshape(permute(value, [...rest, first, second]), [
    ...rest.map((axis) => value.shape[axis]),
    size * size,
  ]);
  const diagonal = slice(flat, { axis: rest.length, start: 0, limit: size * size, step: size + 1 });
  return withoutRepeats({ value: diagonal, labels: [...rest.map((axis) => labels[axis]), labels[first]] });
}

/** Without the axes of size 1 that another operand has longer: multiplying without such an axis is broadcasting it. */
function withoutBroadcast({ value, labels }: Labelled, all: readonly Labelled[]): Labelled {
  const isLonger = (label: string) =>
    all.some((other) => other.labels.includes(label) && other.value.shape[other.labels.indexOf(label)] > 1);
  const kept = labels.map((_, axis) => axis).filter((axis) => value.shape[axis] !== 1 || !isLonger(labels[axis]));
  if (kept.length === labels.length) return { value, labels };
  return {
    value: reshape(
      value,
      kept.map((axis) => value.shape[axis]),
    ),
    labels: kept.map((axis) => labels[axis]),
  };
}

/** Letters that appear once, in alphabetical order: the result where the equation names none. */
function onceOnly(labels: readonly string[]): string[] {
  return labels.filter((label) => !isDot(label) && labels.indexOf(label) === labels.lastIndexOf(label)).sort();
}

function summed({ value, labels }: Labelled, keep: (label: string) => boolean): Labelled {
  const axes = labels.flatMap((label, axis) => (keep(label) ? [] : [axis]));
  return axes.length === 0 ? { value, labels } : { value: reduceSum(value, axes), labels: labels.filter(keep) };
}

/** The product over the letters that both have, summed over those that nothing else needs. */
function multiply(first: Labelled, second: Labelled, needed: ReadonlySet<string>): Labelled {
  const a = summed(first, (label) => needed.has(label) || second.labels.includes(label));
  const b = summed(second, (label) => needed.has(label) || first.labels.includes(label));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const contracted = shared.filter((label) => !needed.has(label));
  const [rows, columns] = [a, b].map(({ labels }) => labels.filter((label) => !shared.includes(label)));
  const product = matmul(matrices(a, [batch, rows, contracted]), matrices(b, [batch, contracted, columns]));
  const labels = [...batch, ...rows, ...columns];
  const sizeOfLabel = (label: string) => {
    const { value, labels: own } = a.labels.includes(label) ? a : b;
    return value.shape[own.indexOf(label)];
  };
  return { value: reshape(product, labels.map(sizeOfLabel)), labels };
}

/** `[...batch, rows, columns]` with one axis for all rows and one for all columns. */
function matrices(
  { value, labels }: Labelled,
  [batch, rows, columns]: readonly [readonly string[], readonly string[], readonly string[]],
): Value {
  const ordered = permute(
    value,
    [...batch, ...rows, ...columns].map((label) => labels.indexOf(label)),
  );
  const { shape } = ordered;
  const split = batch.length + rows.length;
  const outer = shape.slice(0, batch.length);
  return reshape(ordered, [...outer, sizeOf(shape.slice(batch.length, split)), sizeOf(shape.slice(split))]);
}
