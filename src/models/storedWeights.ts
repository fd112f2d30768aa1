import { CurvatureError } from "../errors/index.ts";
import { type FloatMessage, floatMessage, locationOf, type ReadExternal, visitTensors } from "../onnx/index.ts";
import { sizeOf, type Vector } from "../tensors/index.ts";

/** A tensor of a model file that a parameter was read from. */
export interface StoredWeight {
  /** Name of the parameter. */
  readonly parameter: string;
  /** Name of the tensor when the file was read; within functions and subgraphs another than in the file. */
  readonly tensor: string;
  readonly dims: readonly number[];
  readonly data: Vector;
  /** Whether it is the transpose of the parameter: a copy that `ties: "restore"` has made one with it. */
  readonly transposed: boolean;
}

/** The bytes of a model file, and which tensors its parameters are. */
export interface ModelSource {
  /** Contents of the .onnx file. */
  readonly bytes: Uint8Array;
  /** Reads external data files by location. */
  readonly readExternal: ReadExternal;
  readonly weights: readonly StoredWeight[];
}

/** A tensor of a file with its position in the order in which the file's tensors are visited. */
export interface PlacedMessage extends FloatMessage {
  readonly position: number;
}

/** All numbers of a file that are floats. */
export function floatMessages({ bytes, readExternal }: ModelSource): readonly PlacedMessage[] {
  const found: PlacedMessage[] = [];
  let position = 0;
  visitTensors(bytes, (message) => {
    const floats = floatMessage(message, readExternal);
    if (floats !== undefined) found.push({ ...floats, position });
    position++;
    return undefined;
  });
  return found;
}

/** Locations of all external data files that a file refers to, in its order. */
export function externalLocations({ bytes }: Pick<ModelSource, "bytes">): ReadonlySet<string> {
  const locations = new Set<string>();
  visitTensors(bytes, (message) => {
    const location = locationOf(message);
    if (location !== undefined) locations.add(location);
    return undefined;
  });
  return locations;
}

/**
 * The place of a weight in its file. In the main graph it has the name of the weight. Tensors of functions and subgraphs were renamed when the
 * file was read, so they are found by their numbers, and by the end of the name where several tensors have the same numbers.
 *
 * @throws CurvatureError "unsupported" for a weight that the file has not as floats, or whose place is not unique
 */
export async function placeOf(
  weight: StoredWeight,
  {
    messages,
    file,
    caller = "saveModel",
  }: { readonly messages: readonly PlacedMessage[]; readonly file: string; readonly caller?: string },
): Promise<PlacedMessage> {
  const named = messages.filter(({ isMain, name }) => isMain && name === weight.tensor);
  for (const message of named) if (await holds(message, weight)) return message;
  const alike: PlacedMessage[] = [];
  for (const message of messages) if (await holds(message, weight)) alike.push(message);
  const ending = alike.filter(({ name }) => weight.tensor === name || weight.tensor.endsWith(`/${name}`));
  const [only, another] = ending.length > 0 ? ending : alike;
  if (only !== undefined && another === undefined) return only;
  const why =
    only === undefined
      ? "the file has it not as floats but computes it, as from integers by DequantizeLinear"
      : `${Math.max(ending.length, alike.length)} tensors of its functions and subgraphs have the same numbers`;
  throw new CurvatureError(
    "unsupported",
    `${caller} cannot write "${weight.parameter}" into ${file}: ${why}; leave it out of the tensors given, or take the float model with its functions inlined (onnx.inliner.inline_local_functions)`,
  );
}

/** Whether a tensor has the dimensions and numbers of a weight. */
async function holds(message: PlacedMessage, { dims, data }: StoredWeight): Promise<boolean> {
  if (message.dims.join() !== dims.join() || sizeOf(message.dims) !== data.length) return false;
  const numbers = await message.load();
  return numbers.every((number, i) => Object.is(number, data[i]));
}
