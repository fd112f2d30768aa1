import { createHash } from "node:crypto";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import type { CurvatureReport, MatrixName, ReportedMatrix } from "../../src/applications/index.ts";
import { renderHtml } from "../../src/report/index.ts";
import { escapeHtml, html, trusted } from "../../src/report/markup.ts";
import { PAGE_SCRIPT, PAGE_SCRIPT_HASH } from "../../src/report/pageScript.ts";
import { manyLayersReport, sampleMatrix, sampleReport } from "./sampleReport.ts";

const NAMES: readonly MatrixName[] = ["hessian", "ggn", "fisher2", "fisher1", "empiricalFisher"];

function page(report: CurvatureReport) {
  const text = renderHtml(report);
  return { text, document: parseHTML(text).document };
}

/** A matrix of zeros, as an estimator would report it. */
function zeroMatrix(): ReportedMatrix {
  const matrix = sampleMatrix("hessian");
  const nothing = { value: 0, standardError: 0, matvecs: 4 };
  const zeros = [0, 1].map(() => ({ value: 0, residualNorm: 0 }));
  const empty = { grid: [], density: [], width: 0 };
  return {
    ...matrix,
    trace: nothing,
    frobenius: nothing,
    eigenvalues: { largest: zeros, smallest: zeros, matvecs: 2, status: "converged", message: "The matrix is zero." },
    density: {
      grid: [0],
      density: [0],
      width: 0,
      logarithmic: { negative: empty, positive: empty, zeroMass: 1, epsilon: 0 },
      negativeMass: 0,
      resolution: 0,
      matvecs: 2,
    },
    layers: matrix.layers.map((layer) => ({
      ...layer,
      trace: 0,
      standardError: 0,
      tensors: layer.tensors.map((tensor) => ({ ...tensor, trace: 0, standardError: 0 })),
    })),
  };
}

describe("the page", () => {
  test("loads nothing, and runs its own script alone", () => {
    const { text, document } = page(sampleReport());
    expect(document.querySelectorAll("link, img, iframe, object")).toHaveLength(0);
    expect([...document.querySelectorAll("script")].map(({ textContent }) => textContent)).toEqual([PAGE_SCRIPT]);
    expect(text).not.toMatch(/(src|href)="(?!#)/);
    expect(text).not.toMatch(/url\(|@import|https?:(?!\/\/www\.w3\.org)/);
  });

  test("every link leads to a definition with a formula, and no anchor stands twice", () => {
    const { document } = page(sampleReport());
    const anchors = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    expect(new Set(anchors).size).toBe(anchors.length);
    const links = [...document.querySelectorAll("a")].map((link) => link.getAttribute("href") ?? "");
    expect(links.length).toBeGreaterThan(20);
    for (const link of links) {
      expect(anchors).toContain(link.slice(1));
      const target = document.getElementById(link.slice(1))!;
      if (target.tagName === "SECTION") continue;
      expect(target.querySelector(".formula")?.textContent).toBeTruthy();
    }
  });

  test("contents name the sections, headings descend one level at a time", () => {
    const { document } = page(sampleReport());
    const sections = [...document.querySelectorAll("main > section")].map(({ id }) => `#${id}`);
    const contents = [...document.querySelectorAll("nav a")].map((link) => link.getAttribute("href"));
    expect(contents).toEqual(sections);
    const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5")].map(({ tagName }) => Number(tagName[1]));
    for (const [i, level] of levels.entries()) expect(level - (levels[i - 1] ?? 0)).toBeLessThanOrEqual(1);
  });

  test("caution is a word, and marks have their values as titles", () => {
    const { document } = page(sampleReport());
    const cautions = [...document.querySelectorAll(".finding.caution .answer")];
    expect(cautions.length).toBeGreaterThan(0);
    for (const { textContent } of cautions) expect(textContent).toMatch(/^Caution: /);
    expect(document.querySelectorAll("figure svg title").length).toBeGreaterThan(20);
  });

  test("says that a report is partial", () => {
    expect(page({ ...sampleReport({ matrices: ["hessian"] }), partial: true }).text).toContain(
      "Partial report: the run was stopped after Hessian.",
    );
    expect(page(sampleReport()).text).not.toContain("Partial report");
  });

  test("every figure has a role, a title and a description", () => {
    const { document } = page(sampleReport());
    const drawings = [...document.querySelectorAll("figure > svg")];
    expect(drawings).toHaveLength(2 + 2 * NAMES.length + 2);
    for (const drawing of drawings) {
      expect(drawing.getAttribute("role")).toBe("img");
      expect(drawing.getAttribute("aria-label")?.length).toBeGreaterThan(30);
    }
  });

  test("is well formed without matrices, with any one, any two and all, with and without exact values", {
    timeout: 60_000,
  }, () => {
    for (let bits = 0; bits < 2 ** NAMES.length; bits++) {
      const matrices = NAMES.filter((_, i) => (bits >> i) & 1);
      if (matrices.length > 2 && matrices.length < NAMES.length) continue;
      const { text, document } = page(sampleReport({ matrices, exact: bits % 5 === 0 }));
      expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/);
      expect(document.querySelectorAll("#matrices tbody")[0]?.children.length ?? 0).toBe(matrices.length);
    }
  });
});

describe("numbers", () => {
  test("show exact values beside estimates only where they are known", () => {
    const known = page(sampleReport()).text;
    expect(known).toContain("exact 4.11475 (off by 0.88");
    expect(known).toContain("exact, smoothed alike");
    expect(page(sampleReport({ exact: false })).text).not.toContain("exact, smoothed alike");
  });

  test("show the exact values that the report states for a trace and for a layer", () => {
    const report = sampleReport({ matrices: ["ggn"], exact: false });
    const ggn = report.matrices.ggn as ReportedMatrix;
    const trace = { value: 10, standardError: 1, matvecs: 8, exactValue: 12 };
    const layers = ggn.layers.map((layer) => ({ ...layer, trace: 5, standardError: 2, exactTrace: 8 }));
    const { text } = page({ ...report, matrices: { ggn: { ...ggn, trace, layers } } });
    expect(text).toContain("exact 12.0000 (off by 2.0");
    expect(text).toContain("exact 8.00000 (off by 1.5");
  });

  test("a trace read off the dense matrix is called exact and has no error", () => {
    const report = sampleReport({ matrices: ["ggn"] });
    const ggn = report.matrices.ggn as ReportedMatrix;
    const trace = { value: 4.1, standardError: 0, matvecs: 1210, exact: true };
    const { document } = page({ ...report, matrices: { ggn: { ...ggn, trace } } });
    expect(document.querySelector("#matrices tbody td")?.textContent).toBe("4.10000exact");
  });
});

describe("unusual reports", () => {
  test("text from files cannot become markup", () => {
    const evil = `<script>alert("1")</script>'&`;
    const report = sampleReport({ matrices: ["hessian"] });
    const hessian = report.matrices.hessian as ReportedMatrix;
    const layers = hessian.layers.map((layer) => ({
      ...layer,
      name: evil + layer.name,
      tensors: layer.tensors.map((tensor) => ({ ...tensor, name: evil })),
    }));
    const eigenvalues = { ...hessian.eigenvalues, status: "budget", message: evil };
    const { text, document } = page({
      ...report,
      model: {
        ...report.model,
        file: evil,
        notices: [evil],
        tensors: [{ name: evil, dims: [], role: evil, layer: evil }],
      },
      data: { ...report.data, file: evil },
      loss: { ...report.loss, name: evil },
      matrices: { hessian: { ...hessian, title: evil, layers, eigenvalues } },
    });
    expect(text.replace(PAGE_SCRIPT, "")).not.toContain("<script>alert");
    expect(text.match(/<script/g)).toHaveLength(1);
    expect(document.querySelector("#setup li")?.textContent).toBe(evil);
    expect(document.querySelector("#layers tbody th")?.textContent).toContain(evil);
  });

  test("thirty of many layers are drawn, all are in the table", () => {
    const { text, document } = page(manyLayersReport(96));
    const drawing = document.querySelector("#layers svg");
    expect(drawing?.querySelectorAll("[aria-label='y-axis tick label'] text")).toHaveLength(30);
    expect(document.querySelector("#layers tbody")?.children).toHaveLength(96);
    expect(text).toContain("30 of 96 layers");
    expect(text).not.toContain("NaN");
  });

  test("one layer needs no figure", () => {
    const report = sampleReport({ matrices: ["ggn"] });
    const ggn = report.matrices.ggn as ReportedMatrix;
    const { document } = page({ ...report, matrices: { ggn: { ...ggn, layers: ggn.layers.slice(0, 1) } } });
    expect(document.querySelectorAll("#layers svg")).toHaveLength(0);
    expect(document.querySelectorAll("#layers table")).toHaveLength(1);
  });

  test("a zero matrix and a summed loss without accuracy", () => {
    const { accuracy: _, ...report } = sampleReport();
    const zero = zeroMatrix();
    const { text } = page({
      ...report,
      loss: { name: "mse", reduction: "sum", value: 0 },
      matrices: { hessian: zero, ggn: { ...zero, psd: true } },
      residualShare: { value: 0, standardError: 0, matvecs: 2 },
    });
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
    expect(text).toContain("there is no spectrum to draw");
    expect(text).not.toContain("of rows right");
  });

  test("the standard errors of the first numbers stand below them, powers of ten with both", () => {
    const report = sampleReport({ matrices: ["ggn"], exact: false });
    const ggn = report.matrices.ggn as ReportedMatrix;
    const facts = (value: number, standardError: number) => {
      const trace = { value, standardError, matvecs: 10 };
      const { document } = page({ ...report, matrices: { ggn: { ...ggn, trace } } });
      const fact = [...document.querySelectorAll(".fact")].find(
        (each) => each.querySelector("dt")?.textContent === "Trace",
      );
      return [...(fact?.querySelectorAll("dd") ?? [])].map((each) => each.textContent?.replaceAll("\u00a0", " "));
    };
    expect(facts(4.97, 0.12)).toEqual(["4.97", "± 0.12, of the Gauss-Newton matrix"]);
    expect(facts(4.97e7, 0.12e7)).toEqual(["4.97 × 10⁷", "± 0.12 × 10⁷, of the Gauss-Newton matrix"]);
    expect(facts(4, 0)).toEqual(["4.00000", "of the Gauss-Newton matrix"]);
  });

  test("says where the estimate does not tell eigenvalues apart", () => {
    const report = sampleReport({ matrices: ["hessian"], exact: false });
    const hessian = report.matrices.hessian as ReportedMatrix;
    const shaded = "too close to zero for the estimate to tell eigenvalues apart";
    expect(page(report).text).toContain(shaded);
    const { epsilon } = hessian.density.logarithmic;
    const sharp = { ...hessian, density: { ...hessian.density, resolution: epsilon } };
    expect(page({ ...report, matrices: { hessian: sharp } }).text).not.toContain(shaded);
  });

  test("numbers that are unknown are called so", () => {
    const report = sampleReport({ matrices: ["ggn"], exact: false });
    const ggn = report.matrices.ggn as ReportedMatrix;
    const trace = { ...ggn.trace, standardError: Number.NaN };
    const layers = ggn.layers.map((layer) => ({ ...layer, standardError: Number.NaN }));
    const { text } = page({ ...report, matrices: { ggn: { ...ggn, trace, layers } } });
    expect(text).toContain("unknown");
    expect(text).not.toContain("NaN");
  });
});

test("html escapes text, joins lists, leaves markup and skips what is not there", () => {
  expect(escapeHtml(`<a b="c">&'`)).toBe("&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  expect(html`<p>${"<"}${["&", trusted("<br>")]}${undefined}${3}</p>`.html).toBe("<p>&lt;&amp;<br>3</p>");
});

test("the page forbids itself whatever it does not need", () => {
  const { text, document } = page(sampleReport());
  const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]')!.getAttribute("content");
  const hash = `sha256-${createHash("sha256").update(PAGE_SCRIPT).digest("base64")}`;
  expect(PAGE_SCRIPT_HASH).toBe(hash);
  expect(policy).toBe(
    `default-src 'none'; style-src 'unsafe-inline'; script-src '${hash}'; base-uri 'none'; form-action 'none'`,
  );
  expect(text.indexOf("Content-Security-Policy")).toBeLessThan(text.indexOf("<title"));
  expect(document.querySelectorAll("img, iframe, object, embed, link, form, base, [src]").length).toBe(0);
  expect(text).not.toMatch(/url\(|@import| on[a-z]+=/);
});
