import { type Command, Option } from "commander";
import type { Decimal, Layout, LoadDataOptions } from "../index.ts";
import { commaList, finiteNumber, imageSize, numberList, positiveNumber, rowRange } from "./parsers.ts";

/** Help of `--data`. */
export const DATA_HELP =
  "rows of the model's inputs and their labels: a file, a folder of images, or - for standard input";

/** Options of commands that say how the files of a data set are read. */
export interface FileOptions {
  readonly label?: string;
  readonly drop?: string;
  readonly columns?: string;
  readonly rowWeights?: string;
  readonly classes?: readonly string[];
  readonly header?: boolean;
  readonly separator?: string;
  readonly decimal?: Decimal;
  readonly tokenizer?: string;
  readonly pad?: number;
  readonly stream?: true;
  readonly scale?: number;
  readonly rows?: readonly [from: number, to?: number];
  readonly resize?: number | readonly [height: number, width: number];
  readonly crop?: number | readonly [height: number, width: number];
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly layout?: Layout;
}

/** Adds these options to a command. */
export function withFileOptions(command: Command): Command {
  return command
    .option("--label <columns>", "label columns of --data by name or number from 0, as y0,y1; the last by default")
    .option("--drop <columns>", "columns of --data that are no inputs, as id,date")
    .option("--columns <columns>", "columns of --data that are the inputs; by default all but label and dropped ones")
    .option("--row-weights <column>", "column of --data with the factor of each row's loss, 0 or more")
    .option(
      "--classes <names>",
      "names of the classes in the order of the model's outputs; sorted by default",
      commaList,
    )
    .option("--header", "the first line of CSV names the columns; by default found out")
    .option("--no-header", "the first line of CSV is a row")
    .option("--separator <character>", "character between the cells of CSV; by default found out")
    .addOption(new Option("--decimal <character>", "decimal point or comma of CSV").choices([".", ","]))
    .option("--tokenizer <file>", 'tokenizer.json of the model, for a column of text: the one of --columns, or "text"')
    .option("--pad <x>", "number that fills lists of tokens shorter than the longest", finiteNumber)
    .option("--stream", "read files again on every pass instead of holding their rows, for files beyond the memory")
    .option("--scale <x>", "divide inputs by this number", positiveNumber)
    .option("--rows <a:b>", "use rows A to B - 1 only, counted from 0", rowRange)
    .option("--resize <size>", "resize images as torchvision: the shorter side, or WIDTHxHEIGHT", imageSize)
    .option("--crop <size>", "take the middle of images: the side of a square, or WIDTHxHEIGHT", imageSize)
    .option(
      "--mean <list>",
      "subtract these from the channels of images, after --scale, as 0.485,0.456,0.406",
      numberList,
    )
    .option("--std <list>", "divide the channels of images by these, after --mean", numberList)
    .addOption(
      new Option("--layout <axes>", "axes of images, where the model leaves them open").choices(["NCHW", "NHWC"]),
    );
}

/** These options for `loadData`. */
export function fileSettings(options: FileOptions): Partial<LoadDataOptions> {
  const { label, drop, columns, classes, header, separator, decimal, pad, stream, scale, rows } = options;
  const { tokenizer, rowWeights } = options;
  const { resize, crop, mean, std, layout } = options;
  return {
    ...(resize !== undefined && { resize }),
    ...(crop !== undefined && { crop }),
    ...(mean && { mean }),
    ...(std && { std }),
    ...(layout && { layout }),
    ...(label !== undefined && { label }),
    ...(drop !== undefined && { drop }),
    ...(columns !== undefined && { columns }),
    ...(rowWeights !== undefined && { rowWeights }),
    ...(classes && { classes }),
    ...(header !== undefined && { header }),
    ...(separator !== undefined && { separator: separator === "\\t" ? "\t" : separator }),
    ...(decimal && { decimal }),
    ...(tokenizer !== undefined && { tokenizer }),
    ...(pad !== undefined && { padding: pad }),
    ...(stream && { stream }),
    ...(scale !== undefined && { scale }),
    ...(rows && { rows }),
  };
}
