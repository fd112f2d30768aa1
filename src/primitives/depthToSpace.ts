import { CurvatureError } from "../errors/index.ts";
import { apply, type Primitive, type Value } from "../graph/index.ts";
import { formatDims } from "../tensors/index.ts";
import { joinLeading, splitLeading } from "./leading.ts";

interface BlockParams {
  readonly blockSize: number;
}

const spaceToDepthPrimitive: Primitive<BlockParams> = {
  name: "spaceToDepth",
  output([x], { blockSize }) {
    const [N, C, H, W] = x.shape;
    if (x.shape.length !== 4 || H % blockSize !== 0 || W % blockSize !== 0) {
      throw new CurvatureError(
        "shape",
        `spaceToDepth: needs [N, C, H, W] with H and W multiples of ${blockSize}, got ${formatDims(x.shape)}`,
      );
    }
    return { shape: [N, blockSize ** 2 * C, H / blockSize, W / blockSize], type: x.type };
  },
  simplify: ([x], { blockSize }) => (blockSize === 1 ? x : undefined),
  jvp: ({ params: { blockSize } }, [dx]) => spaceToDepth(dx!, blockSize),
  transpose: ({ params: { blockSize } }, c) => [depthToSpace(c, blockSize)],
  vectorize: ({ params: { blockSize } }, [x], _, size) =>
    splitLeading(spaceToDepth(joinLeading(x, 0), blockSize), 0, { size }),
  lower: ({ inputs: [x], params: { blockSize } }, context) =>
    context.node("SpaceToDepth", [context.name(x)], { blocksize: { int: blockSize } }),
};

/**
 * Squares of b by b pixels as channels: [N, C, b H, b W] -> [N, b b C, H, W], where channel (i b + j) C + c of pixel (h, w) is
 * channel c of pixel (b h + i, b w + j) (ONNX SpaceToDepth).
 *
 * @throws CurvatureError "shape"
 */
export function spaceToDepth(x: Value, blockSize: number): Value {
  return apply(spaceToDepthPrimitive, [x], { blockSize });
}

const depthToSpacePrimitive: Primitive<BlockParams> = {
  name: "depthToSpace",
  output([x], { blockSize }) {
    const [N, depth, H, W] = x.shape;
    if (x.shape.length !== 4 || depth % blockSize ** 2 !== 0) {
      throw new CurvatureError(
        "shape",
        `depthToSpace: needs [N, C, H, W] with C a multiple of ${blockSize ** 2}, got ${formatDims(x.shape)}`,
      );
    }
    return { shape: [N, depth / blockSize ** 2, H * blockSize, W * blockSize], type: x.type };
  },
  simplify: ([x], { blockSize }) => (blockSize === 1 ? x : undefined),
  jvp: ({ params: { blockSize } }, [dx]) => depthToSpace(dx!, blockSize),
  transpose: ({ params: { blockSize } }, c) => [spaceToDepth(c, blockSize)],
  vectorize: ({ params: { blockSize } }, [x], _, size) =>
    splitLeading(depthToSpace(joinLeading(x, 0), blockSize), 0, { size }),
  lower: ({ inputs: [x], params: { blockSize } }, context) =>
    context.node("DepthToSpace", [context.name(x)], { blocksize: { int: blockSize }, mode: { string: "DCR" } }),
};

/**
 * Channels as squares of b by b pixels, the inverse of `spaceToDepth`: [N, b b C, H, W] -> [N, C, b H, b W] (ONNX DepthToSpace
 * in mode DCR).
 *
 * @throws CurvatureError "shape"
 */
export function depthToSpace(x: Value, blockSize: number): Value {
  return apply(depthToSpacePrimitive, [x], { blockSize });
}
