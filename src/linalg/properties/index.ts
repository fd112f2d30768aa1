export { checkAdjoint } from "./checkAdjoint.ts";
export { checkPsd } from "./checkPsd.ts";
export { checkSymmetric } from "./checkSymmetric.ts";
export type { PropertyCheck, PropertyCheckOptions } from "./propertyCheck.ts";
