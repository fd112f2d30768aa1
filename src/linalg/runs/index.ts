export type { ProductLogState } from "./productLog.ts";
export type { Estimate, Outcome, Status } from "./result.ts";
export { runToEnd } from "./runToEnd.ts";
export { type StateStore, type StateStoreOptions, stateStore } from "./stateStore.ts";
