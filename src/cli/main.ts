#!/usr/bin/env node
import { runProgram } from "./program.ts";

// A reader of the output may close the pipe early, as in `onnx-curvature inspect model.onnx | head -1`. This is not a failure: the rest of
// the output is dropped, the requested files are still written, and the exit code is that of the command, 0 if it succeeded.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await runProgram(process.argv.slice(2));
