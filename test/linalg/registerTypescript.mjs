// Lets a bare Node import the sources: `node --import ./test/linalg/registerTypescript.mjs file.ts`.
import { register } from "node:module";

register("./typescriptLoader.mjs", import.meta.url);
