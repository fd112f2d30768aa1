export type { Communicator, Numbers } from "../communicator.ts";
export { type Launcher, launcherOf } from "./launcher.ts";
export { type MpiCommunicator, type MpiOptions, mpiCommunicator } from "./mpiCommunicator.ts";
