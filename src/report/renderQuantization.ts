import type { MeasuredLoss } from "../applications/quantization/measurePlan.ts";
import { comparisonFigure, frontFigure, predictionFigure } from "./figures/quantizationFigures.ts";
import { html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import type { QuantizationPage } from "./quantizationPage.ts";
import { dataRow, dataTable } from "./sections/dataTable.ts";

export type { ComparedSize, QuantizationPage, StoredTensorRow } from "./quantizationPage.ts";

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * A quantization plan as one self-contained HTML file: bits and sizes, loss and accuracy before and after, predicted and measured changes by tensor and bits, the
 * Pareto front, and the plan against uniform bits at equal size. It loads nothing and runs no script. Text from files is escaped.
 */
export function renderQuantization(page: QuantizationPage): string {
  const { model, data, rows, plan, warnings } = page;
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quantization of ${model}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header><h1>Quantization</h1>
<p class="subtitle">${model} on ${rows} rows of ${data}. The plan makes ${OBJECTIVES[plan.objective]} least within ${number(plan.budgetBits / weightsOf(page))} bits a weight.</p>
${facts(page)}
${warnings.map((warning) => html`<p class="banner">${capitalized(warning)}.</p>`)}</header>
${planSection(page)}
<section><h2>Size against loss</h2><div class="pair">${frontFigure(page)}${comparisonFigure(page)}</div>
${comparisonTable(page)}</section>
${sensitivitySection(page)}
${compensationSection(page)}
${fileSection(page)}
</main>
</body>
</html>
`;
  return document.html;
}

const OBJECTIVES = {
  omega: "omega (trace of the curvature over size, times the squared error)",
  predicted: "the change of the loss to second order, summed over tensors,",
  measured: "the measured changes of the loss with one tensor rounded alone",
} as const;

function weightsOf({ plan }: QuantizationPage): number {
  return plan.usedBits / plan.averageBits;
}

function facts(page: QuantizationPage): Markup {
  const { plan, planned, file } = page;
  const entries: [name: string, value: string, note: string][] = [
    ["Bits of a weight", number(plan.averageBits), `${plan.tensors.length} tensors, ${weightsOf(page)} weights`],
    [
      "Loss",
      number(planned.loss),
      `${number(planned.lossBefore)} before; change predicted ${number(planned.predicted)}`,
    ],
    ...accuracyFact("Accuracy", planned),
    ...(planned.test ? [lossFact("Test loss", planned.test), ...accuracyFact("Test accuracy", planned.test)] : []),
    ["File", bytes(file.bytes), `${bytes(file.bytesBefore)} before`],
  ];
  return html`<dl class="facts">${entries.map(([name, value, note]) => html`<div class="fact"><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`)}</dl>`;
}

function lossFact(name: string, { loss, lossBefore }: MeasuredLoss): [string, string, string] {
  return [name, number(loss), `${number(lossBefore)} before`];
}

function accuracyFact(name: string, { accuracy, accuracyBefore }: MeasuredLoss): [string, string, string][] {
  return accuracy === undefined ? [] : [[name, percent(accuracy), `${percent(accuracyBefore!)} before`]];
}

function planSection({ plan, sensitivity, stored }: QuantizationPage): Markup {
  const { stability, tensors } = plan;
  return html`<section><h2>Plan</h2>
<p>Bits of each tensor, and how its numbers are stored in the file. Stability: ${stability.message}.</p>
${dataTable("Plan", {
  heads: [
    "tensor",
    "weights",
    "bits",
    "stored as",
    "steps",
    "bytes",
    "trace",
    "standard error",
    "largest eigenvalue / weights",
    "bits change",
  ],
  bodies: tensors.map(({ name, size, bits }, i) => {
    const { trace, hawq, reason } = sensitivity.tensors[i]!;
    const file = stored.find(({ parameter }) => parameter === name);
    return dataRow(name, [
      String(size),
      String(bits),
      file?.storedAs ?? "",
      reason,
      file === undefined ? "" : String(file.bytes),
      number(trace.value),
      trace.standardError === 0 ? "exact" : number(trace.standardError),
      hawq === undefined ? "" : number(hawq),
      stability.resamples === 0 ? "" : percent(stability.tensors[i]!.changed),
    ]);
  }),
})}</section>`;
}

function comparisonTable({ comparison, plan, planned: { test } }: QuantizationPage): Markup {
  const accuracy = test === undefined ? "accuracy" : "test accuracy";
  return dataTable("Plans against uniform bits", {
    heads: ["bits", "uniform: predicted", "measured", accuracy, "plan: bits", "predicted", "measured", accuracy],
    bodies: comparison.map(({ bits, uniform, planBits, planned }) =>
      dataRow(String(bits), [
        number(uniform.predicted),
        number(uniform.measured),
        optionalPercent((uniform.test ?? uniform).accuracy),
        plan.tensors.length > 12 ? `${Math.min(...planBits)} to ${Math.max(...planBits)}` : planBits.join(", "),
        number(planned.predicted),
        number(planned.measured),
        optionalPercent((planned.test ?? planned).accuracy),
      ]),
    ),
  });
}

function sensitivitySection(page: QuantizationPage): Markup {
  const { sensitivity, matrix } = page;
  return html`<section><h2>Sensitivity by tensor and bits</h2>
<p>The loss changes by g'd + d'Ad / 2 to second order for the rounding errors d of one tensor, with the ${matrix === "hessian" ? "Hessian" : "Gauss-Newton matrix"} A; measured is the change with this tensor rounded alone. Omega is the trace of the tensor's block over its number of weights, times |d|².</p>
<div class="pair">${predictionFigure(page)}</div>
${dataTable("Sensitivity by tensor and bits", {
  tall: true,
  heads: ["tensor", "bits", "squared error", "omega", "predicted", "measured", "quadratic range"],
  bodies: sensitivity.tensors.map(({ name, choices }) =>
    choices.map(({ bits, squaredError, omega, predicted, measured, isQuadratic }) =>
      dataRow(name, [
        String(bits),
        number(squaredError),
        omega.standardError === 0 ? number(omega.value) : `${number(omega.value)} ± ${number(omega.standardError)}`,
        number(predicted),
        number(measured),
        isQuadratic ? "within" : "outside",
      ]),
    ),
  ),
})}</section>`;
}

function compensationSection({ compensated, withoutCompensation, planned }: QuantizationPage): Markup | undefined {
  if (compensated === undefined || withoutCompensation === undefined) return undefined;
  return html`<section><h2>Compensation</h2>
<p>Weights not rounded yet make up for the errors of those that are. With nearest points the loss changes by ${number(withoutCompensation.measured)}, with compensation by ${number(planned.measured)}.</p>
${dataTable("Compensation", {
  heads: ["tensor", "error of nearest points", "with compensation", "outputs left at nearest points", "block"],
  bodies: compensated.map(({ name, plainError, error, keptPlain, reason }) =>
    dataRow(name, [
      plainError === undefined ? "" : number(plainError),
      error === undefined ? "" : number(error),
      optionalPercent(keptPlain),
      reason,
    ]),
  ),
})}</section>`;
}

function fileSection({ file, stored, planned }: QuantizationPage): Markup {
  const measured =
    file.rows === undefined
      ? `Its loss as ONNX Runtime runs it was not measured: ${file.reason ?? ""}`
      : `As ONNX Runtime runs it by default, its loss is ${number(file.rows.loss)}${file.rows.accuracy === undefined ? "" : ` and its accuracy ${percent(file.rows.accuracy)}`}; with these weights in floats it is ${number(planned.loss)}`;
  const before = stored.reduce((sum, { bytesBefore }) => sum + bytesBefore, 0);
  const after = stored.reduce((sum, each) => sum + each.bytes, 0);
  return html`<section><h2>File</h2>
<p>${measured}. Where both differ, ONNX Runtime rounds activations before a MatMul whose matrix is dequantized (session option session.qdq_matmulnbits_accuracy_level).</p>
<p>The numbers of the tensors of the plan took ${bytes(before)} and take ${bytes(after)} with their steps. A byte holds one number of five to eight bits, and from opset 21 on two of up to four bits; with fewer bits than the type has, it holds fewer levels.</p></section>`;
}

function number(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))).replace("-", "−") : "not finite";
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function optionalPercent(share: number | undefined): string {
  return share === undefined ? "" : percent(share);
}

function bytes(count: number): string {
  return count < 10_000 ? `${count} bytes` : `${Number((count / 1000).toPrecision(4))} kB`;
}

function capitalized(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
