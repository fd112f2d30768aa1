/**
 * The losses of the library. The command line takes each of them by its name, and the tests of losses demand a row for each.
 *
 * @module
 */

export { bceWithLogits } from "./bceWithLogits.ts";
export { crossEntropy } from "./crossEntropy.ts";
export { gaussianNll } from "./gaussianNll.ts";
export { meanSquaredError } from "./meanSquaredError.ts";
export { poissonNll } from "./poissonNll.ts";
