import { folderOf, isSameFile, writeWhole } from "#files";
import { CurvatureError, checkObject } from "../errors/index.ts";
import type { FileModel } from "./loadModel.ts";
import type { Model } from "./model.ts";
import type { ModelSource } from "./storedWeights.ts";

/** A tensor of a file that was written, as far as places of files depend on it. */
interface WrittenTensor {
  readonly parameter: string;
  readonly changed: number;
  readonly location?: string;
}

/** A model file to write, with its external data. */
interface WrittenModel {
  /** The function that writes, for messages. */
  readonly caller: string;
  readonly model: Model;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly externalData: { readonly [location: string]: Uint8Array };
  readonly tensors: readonly WrittenTensor[];
}

/**
 * Refuses anything that is not a path.
 *
 * @throws CurvatureError "argument"
 */
export function checkModelPath(caller: string, path: string): void {
  if (typeof path === "string" && path !== "") return;
  throw new CurvatureError("argument", `${caller} expects the path of the file to write, got ${JSON.stringify(path)}`);
}

/**
 * The model as one that was read from a file.
 *
 * @throws CurvatureError "model" for one that was not
 */
export function checkedFileModel(caller: string, model: Model): FileModel & { readonly source: ModelSource } {
  checkObject(model, `${caller} expects a model made by loadModel`, ["name", "parameters"]);
  if ("source" in model) return model as FileModel;
  throw new CurvatureError(
    "model",
    `${caller} expects a model that loadModel has read, got "${model.name}", which was written in TypeScript and has no file; keep its weights as numbers`,
  );
}

/**
 * Writes a model file whole or not at all, and its external data beside it under their locations. Returns the paths of the external data written.
 *
 * @throws CurvatureError "argument" where external data of the original or of another model would be overwritten, "file" where it cannot be written
 */
export async function writeModelFile(written: WrittenModel): Promise<readonly string[]> {
  const { caller, path, bytes } = written;
  const targets = await externalTargets(written);
  try {
    for (const file of targets) await writeWhole(file.path, [file.contents]);
    await writeWhole(path, [bytes]);
  } catch (cause) {
    const { code } = cause as { readonly code?: string };
    throw new CurvatureError("file", `${caller} cannot write ${path} (${code ?? cause}); choose another path`, {
      cause,
    });
  }
  return targets.map((file) => file.path);
}

interface ExternalTarget {
  readonly path: string;
  readonly contents: Uint8Array;
}

/**
 * The external data files to write beside `path`. Those of the original itself are left alone if nothing in them changes.
 *
 * @throws CurvatureError "argument" where the original's or another model's would be overwritten
 */
async function externalTargets({
  caller,
  model,
  path,
  externalData,
  tensors,
}: WrittenModel): Promise<readonly ExternalTarget[]> {
  const targets: ExternalTarget[] = [];
  const isRewritten = await isSameFile(path, path);
  for (const [location, contents] of Object.entries(externalData)) {
    const target = `${folderOf(path)}/${location}`;
    const inside = tensors.find((each) => each.location === location && each.changed > 0);
    if (await isSameFile(target, `${folderOf(model.name)}/${location}`)) {
      if (inside === undefined) continue;
      throw new CurvatureError(
        "argument",
        `${caller} cannot write ${path} beside the original, which keeps "${inside.parameter}" in "${location}", a file that both would share; choose another folder`,
      );
    }
    if (!isRewritten && (await isSameFile(target, target))) {
      throw new CurvatureError(
        "argument",
        `${caller} would overwrite ${target}, which is there already and belongs to another model than ${path}; choose an empty folder`,
      );
    }
    targets.push({ path: target, contents });
  }
  return targets;
}
