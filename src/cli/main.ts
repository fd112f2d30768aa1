#!/usr/bin/env node
import { runProgram } from "./program.ts";

// A reader that has seen enough closes the pipe, as in `onnx-curvature inspect model.onnx | head -1`. That is no failure: what nobody
// reads is dropped, the files asked for are still written, and the exit code is that of the command, 0 if it succeeded.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await runProgram(process.argv.slice(2));
