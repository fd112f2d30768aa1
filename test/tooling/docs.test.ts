import { expect, test } from "vitest";
import { checkDocs, entryPoints } from "../../scripts/checkDocs.mjs";
import { checkoutOf } from "./checkout.ts";

const documented = "/** Number of things, which is one. */\nexport const one = 1;\n";

const findingsOf = (files: Record<string, string>) => checkDocs(checkoutOf({ ...allDocumented(), ...files })).findings;

/** Every entry point with one documented export. */
function allDocumented(): Record<string, string> {
  return Object.fromEntries(entryPoints.map((path) => [path, documented]));
}

test("finds nothing where every export has a sentence", () => {
  expect(findingsOf({})).toEqual([]);
});

test("names file and line of an undocumented export, behind a re-export too", () => {
  const findings = findingsOf({
    "src/index.ts": 'export { bare, one } from "./linalg/things.ts";\n',
    "src/linalg/things.ts": `${documented}\nexport const bare = 2;\n`,
  });
  expect(findings).toEqual(["src/linalg/things.ts:4: bare has no doc comment of at least one sentence"]);
});

test("looks into a module that is exported under a name, which begins with a comment of its own", () => {
  const things = "/** The other. */\nexport const other = 3;\nexport const bare = 2;\n";
  const index = `${documented}export * as things from "./linalg/things.ts";\n`;
  const bare = "src/linalg/things.ts:3: bare has no doc comment of at least one sentence";
  const commented = findingsOf({
    "src/index.ts": index,
    "src/linalg/things.ts": `/**\n * Things of all kinds.\n *\n * @module\n */\n${things}`,
  });
  expect(commented).toEqual([bare.replace(":3:", ":8:")]);
  const uncommented = findingsOf({
    "src/index.ts": index,
    "src/linalg/things.ts": things.replace("/** The other. */", ""),
  });
  expect(uncommented.length).toBe(3);
  expect(uncommented).toContain(bare);
  expect(uncommented).toContainEqual(expect.stringMatching(/^src\/linalg\/things\.ts:2: .*things" has no doc comment/));
});

test("takes no word for a sentence", () => {
  const findings = findingsOf({
    "src/index.ts": "/** The one. */\nexport const one = 1;\n/** one */\nexport const two = 2;\n",
  });
  expect(findings).toEqual([expect.stringMatching(/^src\/index\.ts:4: two has no doc comment/)]);
});

test("asks for a comment on methods, unless the owner's comment names them or they are private", () => {
  const findings = findingsOf({
    "src/index.ts": `/** Something that works, with \`named(x)\` of its own. */
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
  expect(findings.map((finding) => finding.split(" has ")[0])).toEqual([
    "src/index.ts:4: callback",
    "src/index.ts:6: bare",
    "src/index.ts:14: open",
  ]);
});

test("names an entry point that is missing", () => {
  const { "src/linalg/index.ts": _, ...others } = allDocumented();
  const { findings, names } = checkDocs(checkoutOf(others));
  expect(findings).toEqual(["src/linalg/index.ts: entry point is missing"]);
  expect(names).toBe(entryPoints.length - 1);
});
