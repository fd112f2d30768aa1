export { checkObject } from "./checkObject.ts";
export { CurvatureError, type ErrorCode } from "./curvatureError.ts";
export { printableJson, printableText } from "./printableText.ts";
