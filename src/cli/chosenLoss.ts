import { CurvatureError, type Data, dataTargets, type FileModel, inspectModel } from "../index.ts";
