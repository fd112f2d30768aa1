export { type ChosenParameter, chooseParameters } from "./chooseParameters.ts";
export { contentOf } from "./contents.ts";
