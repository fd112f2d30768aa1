export { CurvatureError, type ErrorCode } from "./curvatureError.ts";
