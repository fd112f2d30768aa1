import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A tensor of a model file, or numbers of a Constant node that stand in its attribute, as the bytes of their message. */
export interface TensorMessage {
  /** Name of an initializer; for the attribute of a node the node's first result. */
  readonly name: string;
  /** Whether it belongs to the main graph, not to a subgraph or a function. */
  readonly isMain: boolean;
  /** "tensor": a TensorProto; "numbers": an AttributeProto with one float or several. */
  readonly kind: "tensor" | "numbers";
  readonly bytes: Uint8Array;
}

/** Receives a message; returns the bytes to put in its place, or undefined to leave it. */
export type TensorVisitor = (message: TensorMessage) => Uint8Array | undefined;

/** Fields of the messages of an ONNX file, by number, that contain tensors somewhere. */
const FIELDS = {
  model: { graph: 7, functions: 25 },
  graph: { node: 1, initializer: 5 },
  node: { output: 2, attribute: 5 },
  function: { node: 7 },
  attribute: { float: 2, tensor: 5, graph: 6, floats: 7, tensors: 10, graphs: 11 },
  tensor: { name: 8 },
} as const;

/**
 * The bytes of a model file (ModelProto) with other bytes for the tensors that `visit` returns any for. All tensors are visited in the order
 * of the file: initializers, and attributes of nodes, those of subgraphs and functions included. Bytes that are not replaced, unknown fields
 * and the order of fields among them, are those of the file; only the lengths of messages around a tensor of another length are written
 * anew. Returns the same array if nothing was replaced.
 */
export function visitTensors(model: Uint8Array, visit: TensorVisitor): Uint8Array {
  const { graph, functions } = FIELDS.model;
  return rewritten(model, (number, bytes) => {
    if (number === graph) return visitGraph(bytes, { visit, isMain: true });
    if (number !== functions) return bytes;
    return rewritten(bytes, (inner, node) => (inner === FIELDS.function.node ? visitNode(node, { visit }) : node));
  });
}

interface Context {
  readonly visit: TensorVisitor;
  readonly isMain?: boolean;
}

function visitGraph(bytes: Uint8Array, context: Context): Uint8Array {
  const { node, initializer } = FIELDS.graph;
  return rewritten(bytes, (number, part) => {
    if (number === node) return visitNode(part, context);
    if (number !== initializer) return part;
    const name = textOf(part, FIELDS.tensor.name);
    return visited({ name, kind: "tensor", bytes: part }, context);
  });
}

function visitNode(bytes: Uint8Array, context: Context): Uint8Array {
  const name = textOf(bytes, FIELDS.node.output);
  return rewritten(bytes, (number, part) =>
    number === FIELDS.node.attribute ? visitAttribute(part, { ...context, name }) : part,
  );
}

function visitAttribute(bytes: Uint8Array, context: Context & { readonly name: string }): Uint8Array {
  const { float, floats, tensor, tensors, graph, graphs } = FIELDS.attribute;
  const { visit, name } = context;
  const numbers = fieldsOf(bytes).some(({ number }) => number === float || number === floats);
  if (numbers) return visited({ name, kind: "numbers", bytes }, context);
  return rewritten(bytes, (number, part) => {
    if (number === tensor || number === tensors) return visited({ name, kind: "tensor", bytes: part }, context);
    if (number === graph || number === graphs) return visitGraph(part, { visit });
    return part;
  });
}

function visited(message: Omit<TensorMessage, "isMain">, { visit, isMain = false }: Context): Uint8Array {
  return visit({ ...message, isMain }) ?? message.bytes;
}

/** A field of a message: the bytes from `start` to `end` with its tag, its contents from `from`. */
export interface MessageField {
  readonly number: number;
  readonly type: WireType;
  readonly start: number;
  readonly from: number;
  readonly end: number;
}

/** The fields of a message in their order. */
export function fieldsOf(bytes: Uint8Array): readonly MessageField[] {
  const reader = new BinaryReader(bytes);
  const fields: MessageField[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, type] = reader.tag();
    const beforeLength = reader.pos;
    const length = type === WireType.LengthDelimited ? reader.uint32() : undefined;
    const from = length === undefined ? beforeLength : reader.pos;
    if (length === undefined) reader.skip(type, number);
    else reader.pos += length;
    fields.push({ number, type, start, from, end: reader.pos });
  }
  return fields;
}

/** Text of the first field of this number; "" without one. */
function textOf(bytes: Uint8Array, number: number): string {
  const field = fieldsOf(bytes).find((each) => each.number === number);
  return field === undefined ? "" : new TextDecoder().decode(bytes.subarray(field.from, field.end));
}

/** The message with its length-delimited fields as `change` returns them; the same array if it changes none. */
function rewritten(bytes: Uint8Array, change: (number: number, part: Uint8Array) => Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const { number, type, start, from, end } of fieldsOf(bytes)) {
    if (type !== WireType.LengthDelimited) continue;
    const part = bytes.subarray(from, end);
    const changed = change(number, part);
    if (changed === part) continue;
    // A length that stays keeps its bytes, which need not be the shortest form.
    const head =
      changed.length === part.length
        ? bytes.subarray(start, from)
        : new BinaryWriter().tag(number, type).uint32(changed.length).finish();
    pieces.push(bytes.subarray(kept, start), head, changed);
    kept = end;
  }
  return pieces.length === 0 ? bytes : joined([...pieces, bytes.subarray(kept)]);
}

/** Arrays of bytes one after the other. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
