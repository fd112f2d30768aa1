export { FOREIGN_STACK, foreignFunctions, type Koffi } from "./foreignFunctions.ts";
