import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Files that browsers do not load: the command line, MPI, and what the package's conditions choose for Node alone. */
const nodeOnly =
  /^(cli\/|foreign\/|distributed\/mpi\/|files\/(node|wholeFile)|runtime\/(node|largeBlocks)|linalg\/dense\/(nodeKernels|systemLapack))/;

test("nothing that a browser loads names a module of Node", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  const shared = files.map((path) => path.replaceAll("\\", "/")).filter((path) => !nodeOnly.test(path));
  expect(shared.length).toBeGreaterThan(300);
  const naming = shared.filter((path) =>
    /["']node:|\bprocess\.(pid|env|platform|on|kill|memoryUsage)\b|\bBuffer\.\w+\(/.test(
      readFileSync(`src/${path}`, "utf8"),
    ),
  );
  expect(naming).toEqual([]);
});

test.each(["files"])("both platforms of %s export the same names", async (folder) => {
  const [node, web] = await Promise.all([import(`../../src/${folder}/node.ts`), import(`../../src/${folder}/web.ts`)]);
  expect(Object.keys(web).sort()).toEqual(Object.keys(node).sort());
});
