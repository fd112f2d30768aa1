// @ts-check
// Who may import whom. `npm run layers` fails on anything else, type-only imports included, and on any cycle between files.

/** The small vocabulary: imports nothing of ours, and every layer may import it. */
const vocabulary = ["errors", "tensors", "random", "concurrency"];

const core = ["linalg", "models", "losses", "data", "runtime", "autodiff", "primitives", "graph"];

/**
 * Folder of src/ -> folders of src/ it may import besides itself and the vocabulary.
 *
 * @type {Record<string, readonly string[]>}
 */
export const layers = {
  errors: [],
  tensors: [],
  random: [],
  concurrency: [],
  files: [],
  foreign: [],
  onnx: ["files"],
  graph: [],
  data: ["files"],
  linalg: ["files", "foreign"],
  primitives: ["graph"],
  autodiff: ["primitives", "graph"],
  runtime: ["files", "foreign", "onnx", "graph"],
  models: ["files", "onnx", "autodiff", "primitives", "graph", "runtime"],
  losses: ["primitives", "graph"],
  operators: ["distributed", ...core],
  structured: ["files", "distributed", "operators", ...core],
  applications: ["structured", "operators", "linalg", "models", "losses", "data"],
  distributed: ["linalg", "data", "foreign"],
  report: [],
  cli: [],
};

/** What many folders of linalg may import. */
const runs = ["runs", "operator", "vectors"];
const systems = ["krylov", "algebra", ...runs];
const estimation = ["statistics", "dense", ...runs];

/**
 * Large folders of src/ -> their folders -> folders beside these that they may import.
 *
 * @type {Record<string, Record<string, readonly string[]>>}
 */
export const rooms = {
  linalg: {
    vectors: [],
    dense: ["vectors"],
    operator: ["vectors"],
    algebra: ["operator", "dense", "vectors"],
    properties: ["operator", "dense", "vectors"],
    runs: ["operator", "vectors"],
    statistics: runs,
    krylov: runs,
    systems,
    inverses: ["systems", ...systems],
    eigenvalues: ["inverses", "systems", "dense", ...systems],
    traces: estimation,
    sketching: ["traces", "algebra", ...estimation],
    spectra: ["krylov", "traces", "algebra", ...estimation],
  },
  "models/import": {
    ops: [],
    prepared: ["ops"],
    analysis: ["prepared", "ops"],
    sizes: ["analysis", "prepared", "ops"],
    controlFlow: ["sizes", "analysis", "prepared", "ops"],
    parameters: ["analysis", "prepared", "ops"],
    requests: ["sizes", "analysis", "prepared", "ops"],
    translate: ["sizes", "analysis", "prepared", "ops"],
  },
  structured: {
    blocks: [],
    layers: [],
    passes: [],
    sums: ["layers"],
    roots: ["passes"],
    plan: ["layers", "sums", "roots", "passes"],
    gram: ["plan", "sums", "roots", "passes"],
    recipes: ["plan", "layers", "sums", "roots", "passes", "blocks"],
    rows: ["plan", "sums", "roots", "passes"],
  },
  operators: {
    layers: [],
    engine: ["layers"],
    products: ["engine", "layers"],
    checks: ["products", "engine"],
    views: ["checks", "products", "engine"],
  },
};

/** What users can import; the command line, the studio, examples and benchmarks import nothing else of ours. */
const entryPoints =
  "^src/(index|linalg/index|report/index|structured/index|distributed/mpi/index|applications/(sharpness|training|information|laplace|influence|pruning|quantization)/index)[.]ts$";

const users = "^(studio|examples|bench)/";

/** @type {import("dependency-cruiser").DependencyType[]} */
const byName = ["aliased", "aliased-tsconfig", "aliased-tsconfig-paths", "aliased-subpath-import"];

/** @type {import("dependency-cruiser").IForbiddenRuleType[]} */
const layerRules = Object.entries(layers)
  .filter(([layer]) => layer !== "report" && layer !== "cli")
  .map(([layer, allowed]) => ({
    name: `layer-${layer}`,
    comment: `${layer} may import ${[...vocabularyOf(layer), ...allowed].join(", ") || "nothing of ours"}`,
    severity: "error",
    from: { path: `^src/${layer}/` },
    to: { path: "^src/", pathNot: `^src/(${[layer, ...vocabularyOf(layer), ...allowed].join("|")})/` },
  }));

/** @type {import("dependency-cruiser").IForbiddenRuleType[]} */
const roomRules = Object.entries(rooms).flatMap(([layer, table]) =>
  Object.entries(table).map(([room, allowed]) => ({
    name: `room-${layer.replace("/", "-")}-${room}`,
    comment: `${layer}/${room} may import of ${layer}: ${allowed.join(", ") || "nothing else"}`,
    severity: /** @type {"error"} */ ("error"),
    from: { path: `^src/${layer}/${room}/` },
    to: { path: `^src/${layer}/`, pathNot: `^src/${layer}/(${[room, ...allowed].join("|")})/` },
  })),
);

/** @param {string} layer */
function vocabularyOf(layer) {
  return vocabulary.includes(layer) ? [] : vocabulary;
}

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "no-cycle",
      comment: "files import one another in a circle: move what both need into a file of its own",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    ...layerRules,
    ...roomRules,
    {
      name: "layer-report",
      comment:
        "report may import the vocabulary and, as types, applications/report.ts, applications/sharpness/landscape.ts and results of further applications",
      severity: "error",
      from: { path: "^src/report/" },
      to: {
        path: "^src/",
        pathNot: `^src/(report/|${vocabulary.map((layer) => `${layer}/`).join("|")}|applications/(report|sharpness/(landscape|checkpointCurvature)|(laplace|influence|pruning|quantization)/[a-zA-Z]+)[.]ts$)`,
      },
    },
    {
      name: "report-object-is-a-type",
      comment: "report may import applications/report.ts with `import type` only",
      severity: "error",
      from: { path: "^src/report/" },
      to: {
        path: "^src/applications/(report|sharpness/(landscape|checkpointCurvature)|(laplace|influence|pruning|quantization)/[a-zA-Z]+)[.]ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "layer-cli",
      comment: "cli may import its own files and the public entry points, src/index.ts and the others of package.json",
      severity: "error",
      from: { path: "^src/cli/" },
      to: { path: "^src/", pathNot: ["^src/cli/", entryPoints] },
    },
    {
      name: "layer-index",
      comment:
        "src/index.ts is loaded by browsers: it may import everything but the report, which has its own entry, and the command line",
      severity: "error",
      from: { path: "^src/index[.]ts$" },
      to: { path: "^src/(report|cli)/" },
    },
    {
      name: "mpi-apart",
      comment:
        "src/distributed/mpi is an entry point of its own, which browsers do not load: only the command line may import it",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(distributed/mpi|cli)/" },
      to: { path: "^src/distributed/mpi/" },
    },
    {
      name: "layer-users",
      comment: "studio, examples and bench may import the public entry points only",
      severity: "error",
      from: { path: users },
      to: {
        path: "^(src|dist)/",
        pathNot: [
          entryPoints,
          "^dist/(index|linalg/index|report/index|structured/index|distributed/mpi/index|applications/(sharpness|training|information|laplace|influence|pruning|quantization)/index)[.]",
        ],
      },
    },
    {
      name: "users-import-by-name",
      comment: 'studio, examples and bench import "onnx-curvature" by name, as any user does',
      severity: "error",
      from: { path: users },
      to: { path: "^(src|dist)/", dependencyTypesNot: byName },
    },
    {
      name: "runtime-by-name",
      comment: 'node.ts and web.ts of the runtime are chosen by the package\'s conditions: import "#runtime"',
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/runtime/(node|web)[.]ts$", dependencyTypesNot: byName },
    },
    {
      name: "files-by-name",
      comment: 'node.ts and web.ts of files are chosen by the package\'s conditions: import "#files"',
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/files/(node|web)[.]ts$", dependencyTypesNot: byName },
    },
    {
      name: "images-by-name",
      comment: 'the decoders of images are chosen by the package\'s conditions: import "#images"',
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/data/images/(node|web)Decoder[.]ts$", dependencyTypesNot: byName },
    },
    {
      name: "sources-stand-alone",
      comment: "src may not import tests, examples, benchmarks, scripts or the studio",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|examples|bench|scripts|studio)/" },
    },
    {
      name: "declared-dependency",
      comment: "src may import packages that package.json lists under dependencies",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["npm", "npm-optional", "npm-peer"],
      },
    },
    {
      name: "resolvable",
      comment: "the import leads nowhere",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ["node_modules", "^dist/"] },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "node", "default"],
      extensions: [".ts", ".mjs", ".js", ".json", ".d.ts"],
    },
  },
};
