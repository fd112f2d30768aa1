import { areOperationsApart, constantTensor, integers, scalar, type Value } from "../../../graph/index.ts";
import {
  add,
  cast,
  clip,
  concat,
  gather,
  greater,
  less,
  matmul,
  mul,
  permute,
  range,
  reshape,
  reverse,
  slice,
  sub,
  where,
  zeros,
} from "../../../primitives/index.ts";
import { float, floats, type ImportedNode, int, operand, string } from "./importedNode.ts";
import { activationNamed } from "./namedActivation.ts";
import type { OperatorTraits } from "./traits.ts";

/** State of a cell for all rows: hidden `[rows, h]`, and what else it remembers. */
type State = readonly Value[];

/** Operands of one direction of a recurrent layer. */
interface Direction {
  /** Inputs times their weights, plus all biases that are only added: `[length, rows, gates h]`. */
  readonly projected: Value;
  /** `[gates h, h]`. */
  readonly recurrence: Value;
  /** Bias of the recurrence `[gates h]`, where it is not in `projected`. */
  readonly recurrentBias: Value | undefined;
  readonly activations: readonly ((x: Value) => Value)[];
  readonly peepholes: Value | undefined;
}

interface Cell {
  readonly gates: number;
  readonly states: number;
  readonly activations: readonly string[];
  /** Position of the peephole weights, if the cell has any. */
  readonly peepholes?: number;
  step(projected: Value, state: State, direction: Direction): State;
}

/** Long short-term memory (Hochreiter and Schmidhuber, 1997), step by step; gates in the order input, output, forget, cell. */
export function LSTM(node: ImportedNode): readonly Value[] {
  const coupled = int(node, "input_forget", 0) !== 0;
  return recurrent(node, {
    gates: 4,
    states: 2,
    activations: ["Sigmoid", "Tanh", "Tanh"],
    peepholes: 7,
    step(projected, [hidden, cell], { recurrence, activations: [f, g, h], peepholes }) {
      const all = add(projected, matmul(hidden, recurrence, { transposeB: true }));
      const [i, o, forget, candidate] = parts(all, 4);
      const [pi, po, pf] = peepholes === undefined ? [] : parts(peepholes, 3);
      const seen = (gate: Value, weights: Value | undefined, c: Value) =>
        f(weights === undefined ? gate : add(gate, mul(weights, c)));
      const input = seen(i, pi, cell);
      const kept = coupled ? sub(scalar(1), input) : seen(forget, pf, cell);
      const next = add(mul(kept, cell), mul(input, g(candidate)));
      return [mul(seen(o, po, next), h(next)), next];
    },
  });
}
LSTM.traits = {
  recurrent: true,
  roles: [undefined, "weight", "weight", "bias", undefined, undefined, undefined, "weight"],
} satisfies OperatorTraits;

/** Gated recurrent unit (Cho et al., 2014), step by step; gates in the order update, reset, hidden. */
export function GRU(node: ImportedNode): readonly Value[] {
  const resetAfter = int(node, "linear_before_reset", 0) !== 0;
  return recurrent(node, {
    gates: 3,
    states: 1,
    activations: ["Sigmoid", "Tanh"],
    step(projected, [hidden], { recurrence, recurrentBias, activations: [f, g] }) {
      const [xz, xr, xh] = parts(projected, 3);
      const through = (state: Value, k: number, of: number) => {
        const weights = part(recurrence, k, { of, axis: 0 });
        const product = matmul(state, weights, { transposeB: true });
        return recurrentBias === undefined ? product : add(product, part(recurrentBias, k, { of, axis: 0 }));
      };
      // Without a reset in between, one product serves all gates.
      const [rz, rr, rh] = resetAfter
        ? parts(through(hidden, 0, 1), 3)
        : [through(hidden, 0, 3), through(hidden, 1, 3), undefined];
      const update = f(add(xz, rz));
      const reset = f(add(xr, rr));
      const recalled = rh === undefined ? through(mul(reset, hidden), 2, 3) : mul(reset, rh);
      const candidate = g(add(xh, recalled));
      return [add(candidate, mul(update, sub(hidden, candidate)))];
    },
  });
}
GRU.traits = { recurrent: true, roles: [undefined, "weight", "weight", "bias"] } satisfies OperatorTraits;

/** Elman network (1990), step by step: h = f(W x + R h + b). */
export function RNN(node: ImportedNode): readonly Value[] {
  return recurrent(node, {
    gates: 1,
    states: 1,
    activations: ["Tanh"],
    step: (projected, [hidden], { recurrence, activations: [f] }) => [
      f(add(projected, matmul(hidden, recurrence, { transposeB: true }))),
    ],
  });
}
RNN.traits = { recurrent: true, roles: [undefined, "weight", "weight", "bias"] } satisfies OperatorTraits;

/** Outputs `[length, directions, rows, h]` and last states `[directions, rows, h]`; rows first where the layout says so. */
function recurrent(node: ImportedNode, cell: Cell): readonly Value[] {
  const rowsFirst = int(node, "layout", 0) === 1;
  const x = rowsFirst ? permute(operand(node, 0), [1, 0, 2]) : operand(node, 0);
  const lengths = lengthsOf(node, x.shape[0]);
  const way = string(node, "direction", "forward");
  const backward = way === "reverse" ? [true] : way === "bidirectional" ? [false, true] : [false];
  const results = backward.map((reversed, d) => {
    const turned = (sequence: Value) => (reversed ? backwards(sequence, lengths) : sequence);
    const direction = directionOf(node, cell, { x: turned(x), d });
    const { hidden, last } = unrolled(direction, cell, {
      start: initialStates(node, cell, { x, d, rowsFirst }),
      lengths,
    });
    return { hidden: turned(hidden), last };
  });
  const y = concat(
    results.map(({ hidden: { shape }, hidden }) => reshape(hidden, [shape[0], 1, shape[1], shape[2]])),
    1,
  );
  const states = Array.from({ length: cell.states }, (_, k) => {
    const all = results.map(({ last }) => reshape(last[k], [1, ...last[k].shape]));
    return rowsFirst ? permute(concat(all, 0), [1, 0, 2]) : concat(all, 0);
  });
  return [rowsFirst ? permute(y, [2, 0, 1, 3]) : y, ...states];
}

/** Lengths of the rows' sequences, int64 `[rows]`; undefined where all are as long as there is room for. */
function lengthsOf(node: ImportedNode, length: number): Value | undefined {
  const lengths = node.inputs[4];
  if (lengths === undefined) return undefined;
  const known = constantTensor(lengths);
  const isFull = known !== undefined && Array.from(known.data as ArrayLike<number>, Number).every((n) => n === length);
  return isFull ? undefined : cast(lengths, "int64");
}

/** `[length, rows, ...]` with each row's steps in the opposite order; those after its end stay where they are. */
function backwards(x: Value, lengths: Value | undefined): Value {
  if (lengths === undefined) return reverse(x, [0]);
  const [length, rows, width] = x.shape;
  const steps = reshape(range(length), [length, 1]);
  const mirrored = sub(sub(reshape(lengths, [1, rows]), integers([1])), steps);
  const from = where(less(steps, reshape(lengths, [1, rows])), mirrored, steps);
  const places = reshape(add(mul(from, integers([rows])), range(rows)), [length * rows]);
  return reshape(gather(reshape(x, [length * rows, width]), places, 0), x.shape);
}

function directionOf(node: ImportedNode, cell: Cell, { x, d }: { readonly x: Value; readonly d: number }): Direction {
  const own = (value: Value) => reshape(part(value, d, { of: value.shape[0], axis: 0 }), value.shape.slice(1));
  const bias = node.inputs[3] === undefined ? undefined : own(node.inputs[3]);
  const [inputBias, recurrentBias] = bias === undefined ? [] : parts(bias, 2);
  const product = matmul(x, own(operand(node, 1)), { transposeB: true });
  const apart = node.op === "GRU";
  // One sum of two biases instead of two sums over all steps, unless they are to be seen where they enter.
  const twice = !apart && areOperationsApart();
  const added = inputBias && (apart || twice ? inputBias : add(inputBias, recurrentBias));
  const biased = added === undefined ? product : add(product, added);
  const peepholes = cell.peepholes === undefined ? undefined : node.inputs[cell.peepholes];
  return {
    projected: twice && recurrentBias !== undefined ? add(biased, recurrentBias) : biased,
    recurrence: own(operand(node, 2)),
    recurrentBias: apart ? recurrentBias : undefined,
    activations: activationsOf(node, cell, d),
    peepholes: peepholes && own(peepholes),
  };
}

/** Activation functions in the order of the file, which gives their numbers in the same order to those that take any. */
function activationsOf(node: ImportedNode, cell: Cell, d: number): ((x: Value) => Value)[] {
  const value = node.attributes.activations;
  const names = value !== undefined && "strings" in value ? value.strings : [];
  const numbers = { alpha: [...floats(node, "activation_alpha")], beta: [...floats(node, "activation_beta")] };
  const bound = float(node, "clip", 0);
  const count = cell.activations.length;
  const all = Array.from({ length: (d + 1) * count }, (_, i) => {
    const activation = activationNamed(node, names[i] ?? cell.activations[i % count], numbers);
    return bound > 0 ? (x: Value) => activation(clip(x, { low: -bound, high: bound })) : activation;
  });
  return all.slice(d * count);
}

function initialStates(
  node: ImportedNode,
  cell: Cell,
  { x, d, rowsFirst }: { readonly x: Value; readonly d: number; readonly rowsFirst: boolean },
): State {
  const size = operand(node, 2).shape[2];
  return Array.from({ length: cell.states }, (_, k) => {
    const given = node.inputs[5 + k];
    if (given === undefined) return zeros([x.shape[1], size]);
    const axis = rowsFirst ? 1 : 0;
    return reshape(part(given, d, { of: given.shape[axis], axis }), [x.shape[1], size]);
  });
}

/** Beyond the end of a row its state stays as it was, and its outputs are 0. */
function unrolled(
  direction: Direction,
  cell: Cell,
  { start, lengths }: { readonly start: State; readonly lengths: Value | undefined },
): { readonly hidden: Value; readonly last: State } {
  const [length, rows, width] = direction.projected.shape;
  let state = start;
  const hidden: Value[] = [];
  for (let t = 0; t < length; t++) {
    const projected = reshape(slice(direction.projected, { axis: 0, start: t, limit: t + 1 }), [rows, width]);
    const next = cell.step(projected, state, direction);
    const goesOn = lengths && reshape(greater(lengths, integers([t])), [rows, 1]);
    const before = state;
    state = goesOn === undefined ? next : next.map((value, k) => where(goesOn, value, before[k]));
    const output = goesOn === undefined ? next[0] : where(goesOn, next[0], scalar(0));
    hidden.push(reshape(output, [1, ...output.shape]));
  }
  return { hidden: concat(hidden, 0), last: state };
}

/** Part k of several equal parts along an axis. */
function part(x: Value, k: number, { of, axis }: { readonly of: number; readonly axis: number }): Value {
  const size = x.shape[axis] / of;
  return slice(x, { axis, start: k * size, limit: (k + 1) * size });
}

/** Equal parts along the last axis. */
function parts(x: Value, count: number): Value[] {
  return Array.from({ length: count }, (_, k) => part(x, k, { of: count, axis: x.shape.length - 1 }));
}
