export { drive } from "./drive.ts";
export type { RecordedState } from "./recorded.ts";
export type { Estimate, Outcome, Status } from "./result.ts";
export { type StateStore, type StateStoreOptions, stateStore } from "./stateStore.ts";
