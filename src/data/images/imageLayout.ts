import { CurvatureError } from "../../errors/index.ts";
import { formatDims } from "../../tensors/index.ts";
import type { ModelDims } from "../fitRows.ts";
import type { ModelChannels } from "./image.ts";
import type { ImageSize } from "./resizeImage.ts";

/** Order of the axes of images: channels before or after height and width. */
export type Layout = "NCHW" | "NHWC";

/** How pixels become the rows of an input. */
export interface ImageLayout {
  readonly layout: Layout;
  readonly channels: ModelChannels;
  /** Dimensions of a row. */
  readonly dims: readonly number[];
}

/** What decides the layout. */
export interface LayoutFacts {
  /** Dimensions of the model's input, batch axis first. */
  readonly dims: ModelDims;
  readonly input: string;
  /** Size of the images as they enter the model, and the channels of the first in its file. */
  readonly size: ImageSize;
  readonly stored: number;
  /** The layout that is asked for. */
  readonly layout?: Layout | undefined;
  /** The first image, for messages. */
  readonly where: string;
}

/**
 * Layout and channels by the shape of the model's input: the axis of 1 or 3 is that of the channels, `[n, h, w]` and `[n, h w]` take gray.
 *
 * @throws CurvatureError "argument" where the shape fits both layouts or neither; "shape" for images of another size
 */
export function imageLayout(facts: LayoutFacts): ImageLayout {
  const { dims, size, input, where } = facts;
  const { layout, channels, axes } = axesOf(facts);
  const { width, height } = size;
  const row =
    axes === 1
      ? [channels * height * width]
      : axes === 2
        ? [height, width]
        : layout === "NCHW"
          ? [channels, height, width]
          : [height, width, channels];
  const want = dims.slice(1);
  if (want.every((dim, axis) => typeof dim !== "number" || dim === row[axis])) return { layout, channels, dims: row };
  const [wantedHeight, wantedWidth] = axes === 3 ? (layout === "NCHW" ? want.slice(1) : want) : axes === 2 ? want : [];
  const fixed = typeof wantedHeight === "number" && typeof wantedWidth === "number";
  const advice = fixed
    ? `say --resize ${wantedHeight === wantedWidth ? wantedHeight : `${wantedWidth}x${wantedHeight}`}${wantedHeight === wantedWidth ? ` --crop ${wantedHeight}` : ""}`
    : "resize or crop them (--resize, --crop)";
  throw new CurvatureError(
    "shape",
    `${where}: is ${width} x ${height} pixels (width x height), but the model's input "${input}" takes ${formatDims(want)} a row; ${advice}`,
  );
}

interface Axes {
  readonly layout: Layout;
  readonly channels: ModelChannels;
  /** Axes of a row. */
  readonly axes: 1 | 2 | 3;
}

function axesOf({ dims, input, size, stored, layout, where }: LayoutFacts): Axes {
  const shown = `the model's input "${input}" of shape ${formatDims(dims)}`;
  const [, first, , last] = dims;
  if (dims.length === 4) {
    const possible = (["NCHW", "NHWC"] as const).filter((name) => canBeChannels(name === "NCHW" ? first : last));
    const certain = possible.filter((name) => typeof (name === "NCHW" ? first : last) === "number");
    const chosen = layout ?? (certain.length === 1 ? certain[0] : undefined);
    if (chosen === undefined || !possible.includes(chosen)) {
      const why =
        possible.length === 0 || (layout && chosen)
          ? "has no axis of 1 or 3 channels there"
          : "may have its channels first or last";
      throw new CurvatureError(
        "argument",
        `${where}: ${shown} ${why}; expected images as [n, c, h, w] or [n, h, w, c], said by layout: NCHW or NHWC (--layout)`,
      );
    }
    const channels = chosen === "NCHW" ? first : last;
    return { layout: chosen, channels: channels === 1 || channels === 3 ? channels : stored < 3 ? 1 : 3, axes: 3 };
  }
  if (dims.length === 3) return { layout: layout ?? "NCHW", channels: 1, axes: 2 };
  const pixels = size.width * size.height;
  if (dims.length === 2 && (typeof first !== "number" || first !== 3 * pixels))
    return { layout: layout ?? "NCHW", channels: 1, axes: 1 };
  if (dims.length === 2 && layout !== undefined) return { layout, channels: 3, axes: 1 };
  const why =
    dims.length === 2
      ? "takes colours whose order is unknown; say layout: NCHW or NHWC (--layout)"
      : "takes no images, which are [n, c, h, w] or [n, h, w, c]";
  throw new CurvatureError("argument", `${where}: ${shown} ${why}`);
}

function canBeChannels(dim: ModelDims[number] | undefined): boolean {
  return dim === 1 || dim === 3 || typeof dim !== "number";
}
