export { FOREIGN_STACK, foreignFunctions, foreignFunctionsNow, type Koffi } from "./foreignFunctions.ts";
