import { openSession as open } from "../../src/runtime/node.ts";
import type { OpenSession } from "../../src/runtime/session.ts";

// What tests run on: the runtime of Node with one thread a session where a test asks for no number. Test files run beside one another on all
// cores, and on graphs as small as those of tests the engine's threads cost more, by being started and ended, than all else it does.

export * from "../../src/runtime/node.ts";

/** As `openSession` of the runtime of Node, with one thread unless options say otherwise. */
export const openSession: OpenSession = (bytes, options) => open(bytes, { threads: 1, ...options });
