import { events, failureTests, OWN_WAYS } from "./failureSuite.ts";

failureTests("openMpi", Object.keys(events));
failureTests("mpich", OWN_WAYS);
