import { events, failureTests, OWN_WAYS } from "./failureSuite.ts";

failureTests(
  "mpich",
  Object.keys(events).filter((event) => !OWN_WAYS.includes(event)),
);
