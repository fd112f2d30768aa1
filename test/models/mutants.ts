import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type GraphProto, ModelProtoSchema, StringStringEntryProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import { type Stream, stream } from "../../src/random/index.ts";

/** Numbers that break what was not made for them. */
const NUMBERS = [0n, 1n, -1n, 2n, 3n, 7n, 255n, 65536n, 2n ** 31n, -(2n ** 31n), 2n ** 40n, 2n ** 62n, -(2n ** 63n)];

const OPERATORS = [
  "Add",
  "MatMul",
  "Reshape",
  "Expand",
  "Tile",
  "Conv",
  "Softmax",
  "Gather",
  "If",
  "Transpose",
  "Nothing",
];

const outside = { key: "location", value: "../../etc/passwd" };

/** Mutant number `seed` of a file: bits flipped, bytes cut, or names, sizes, numbers and operators of its graph exchanged. */
export function mutant(bytes: Uint8Array, seed: number): Uint8Array {
  const random = stream(seed, "mutant");
  const changes = 1 + random.integer(3);
  return random.uniform() < 0.5 ? damaged(bytes, random, changes) : rewritten(bytes, random, changes);
}

function damaged(bytes: Uint8Array, random: Stream, changes: number): Uint8Array {
  let result = bytes.slice();
  for (let i = 0; i < changes && result.length > 0; i++) {
    const at = random.integer(result.length);
    const kind = random.integer(8);
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1)
      result = Uint8Array.from([...result.subarray(0, at), ...result.subarray(at + random.integer(64))]);
    else if (kind === 2) result = Uint8Array.from([...result.subarray(0, at + 16), ...result.subarray(at)]);
    else if (kind === 3) result[at] = random.integer(256);
    else result[at]! ^= 1 << random.integer(8);
  }
  return result;
}

function rewritten(bytes: Uint8Array, random: Stream, changes: number): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  for (let i = 0; i < changes; i++) change(model.graph!, random);
  return toBinary(ModelProtoSchema, model);
}

function change(
  { node: nodes, initializer: tensors, input: inputs, output: outputs }: GraphProto,
  random: Stream,
): void {
  const pick = <T>(list: readonly T[]): T | undefined => list[random.integer(Math.max(list.length, 1))];
  const number = () => pick(NUMBERS)!;
  const [node, tensor] = [pick(nodes), pick(tensors)];
  const name = pick([...nodes.flatMap(({ output }) => output), ...tensors.map((each) => each.name)]) ?? "";
  const changes: (() => void)[] = [
    () => node?.input.splice(random.integer(node.input.length + 1), 1, name),
    () => node?.output.splice(random.integer(node.output.length + 1), 1, name),
    () => node?.input.splice(random.integer(node.input.length + 1), 1),
    () => node && Object.assign(node, { opType: pick(OPERATORS) }),
    () => nodes.splice(random.integer(nodes.length + 1), 1),
    () => tensor?.dims.splice(random.integer(tensor.dims.length + 1), 1, number()),
    () => tensor && Object.assign(tensor, { dataType: random.integer(20) }),
    () =>
      tensor &&
      Object.assign(tensor, { externalData: [create(StringStringEntryProtoSchema, outside)], dataLocation: 1 }),
    () => tensors.splice(random.integer(tensors.length + 1), 1),
    () => {
      const attribute = pick(node?.attribute ?? []);
      if (attribute === undefined) return;
      attribute.i = number();
      attribute.ints = attribute.ints.map((int) => (random.integer(2) === 0 ? int : number()));
      attribute.f = random.uniform() < 0.2 ? Number.NaN : -1e30;
    },
    () => {
      const sized = tensors.filter(({ dataType, rawData }) => dataType === 7 && rawData.length >= 8);
      const chosen = pick(sized);
      if (chosen === undefined) return;
      const raw = chosen.rawData.slice();
      new DataView(raw.buffer, raw.byteOffset).setBigInt64(8 * random.integer(raw.length / 8), number(), true);
      chosen.rawData = raw;
    },
    () => {
      const info = pick([...inputs, ...outputs]);
      if (info?.type?.value.case !== "tensorType") return;
      const { value } = info.type.value;
      value.elemType = random.integer(18);
      const dim = pick(value.shape?.dim ?? []);
      if (dim !== undefined) dim.value = { case: "dimValue", value: number() };
    },
  ];
  pick(changes)!();
}
