import { expect, test } from "vitest";
import { checkDocs, entryPoints } from "../../scripts/checkDocs.mjs";
import { checkoutOf } from "./checkout.ts";

const documented = "/** Number of things, which is one. */\nexport const one = 1;\n";

const findingsOf = (files: Record<string, string>) => checkDocs(checkoutOf({ ...allDocumented(), ...files })).findings;

/** Every entry point with one documented export. */
function allDocumented(): Record<string, string> {
  return Object.fromEntries(entryPoints.map((path) => [path, documented]));
}

test("names what has no sentence, and nothing else: one entry point for each way to lack it", () => {
  const things = "/** The other. */\nexport const other = 3;\nexport const bare = 2;\n";
  const index = `${documented}export * as things from "./modules/things.ts";\n`;
  const findings = findingsOf({
    // Behind a re-export.
    "src/index.ts": 'export { bare, one } from "./linalg/things.ts";\n',
    "src/linalg/things.ts": `${documented}\nexport const bare = 2;\n`,
    // In a module that is exported under a name, which begins with a comment of its own.
    "src/report/index.ts": index,
    "src/report/modules/things.ts": `/**\n * Things of all kinds.\n *\n * @module\n */\n${things}`,
    "src/structured/index.ts": index,
    "src/structured/modules/things.ts": things.replace("/** The other. */", ""),
    // One word is not a sentence.
    "src/linalg/index.ts": "/** The one. */\nexport const one = 1;\n/** one */\nexport const two = 2;\n",
    // Methods, unless the owner's comment names them or they are private.
    "src/distributed/mpi/index.ts": `/** Something that works, with \`named(x)\` of its own. */
export interface Worker {
  readonly size: number;
  readonly callback?: (x: number) => void;
  named(x: number): void;
  bare(): void;
  /** Does what it says here. */
  described(): void;
}
/** Something that must be released. */
export class Holder {
  #secret() { return 1; }
  private hidden() { return this.#secret(); }
  open() { return this.hidden(); }
}
`,
  });
  const places = findings.map((finding) => finding.split(" has ")[0]);
  expect(places.map((place) => place!.replace(/(things\.ts:2: ).*/, "$1the module")).sort()).toEqual(
    [
      "src/linalg/things.ts:4: bare",
      "src/report/modules/things.ts:8: bare",
      "src/structured/modules/things.ts:2: the module",
      "src/structured/modules/things.ts:2: the module",
      "src/structured/modules/things.ts:3: bare",
      "src/linalg/index.ts:4: two",
      "src/distributed/mpi/index.ts:4: callback",
      "src/distributed/mpi/index.ts:6: bare",
      "src/distributed/mpi/index.ts:14: open",
    ].sort(),
  );
  expect(findings).toContain("src/linalg/things.ts:4: bare has no doc comment of at least one sentence");
  expect(findings).toContainEqual(
    expect.stringMatching(/^src\/structured\/modules\/things\.ts:2: .*things" has no doc/),
  );
});

test("names an entry point that is missing", () => {
  const { "src/linalg/index.ts": _, ...others } = allDocumented();
  const { findings, names } = checkDocs(checkoutOf(others));
  expect(findings).toEqual(["src/linalg/index.ts: entry point is missing"]);
  expect(names).toBe(entryPoints.length - 1);
});
