import type { QuantizationPage } from "../report/index.ts";

/** The plan and what was measured, for the terminal. */
export function quantizationText(page: QuantizationPage): string {
  const { plan, planned, withoutCompensation, file, warnings } = page;
  const compensation =
    withoutCompensation === undefined
      ? []
      : [`without compensation: loss ${short(withoutCompensation.loss)}${accuracyText(withoutCompensation.accuracy)}`];
  const test = planned.test;
  return [
    planTable(page),
    "",
    comparisonTable(page),
    "",
    `plan: ${short(plan.averageBits)} bits a weight, change of the loss predicted ${short(planned.predicted)}, measured ${short(planned.measured)}`,
    `stability: ${plan.stability.message}`,
    `before: loss ${short(planned.lossBefore)}${accuracyText(planned.accuracyBefore)}`,
    `after:  loss ${short(planned.loss)}${accuracyText(planned.accuracy)}`,
    ...compensation,
    ...(test
      ? [
          `test:   loss ${short(test.loss)}${accuracyText(test.accuracy)}, before ${short(test.lossBefore)}${accuracyText(test.accuracyBefore)}`,
        ]
      : []),
    fileText(page),
    `size of the file: ${file.bytes} bytes, before ${file.bytesBefore}`,
    ...warnings.map((warning) => `warning: ${warning}`),
    "",
  ].join("\n");
}

function planTable({ plan, sensitivity }: QuantizationPage): string {
  const width = Math.max(6, ...plan.tensors.map(({ name }) => name.length)) + 2;
  const heads = sensitivity.bits.map((bits) => `${bits} bits`.padStart(11));
  const rows = plan.tensors.map(({ name, size, bits }, i) => {
    const { choices } = sensitivity.tensors[i]!;
    const changes = choices.map((choice) =>
      `${short(choice.measured)}${choice.bits === bits ? "*" : " "}`.padStart(11),
    );
    return `${name.padEnd(width)}${String(size).padStart(9)}${String(bits).padStart(6)}${changes.join("")}`;
  });
  return [
    "measured change of the loss with one tensor rounded alone; * is the plan",
    `${"tensor".padEnd(width)}${"weights".padStart(9)}${"bits".padStart(6)}${heads.join("")}`,
    ...rows,
  ].join("\n");
}

function comparisonTable({ comparison }: QuantizationPage): string {
  const cell = (text: string) => text.padStart(16);
  const rows = comparison.map(({ bits, uniform, planned }) =>
    [String(bits), short(uniform.predicted), short(uniform.measured), short(planned.predicted), short(planned.measured)]
      .map(cell)
      .join(""),
  );
  return [
    "change of the loss at equal size",
    ["bits", "uniform: pred", "measured", "plan: pred", "measured"].map((text) => text.padStart(16)).join(""),
    ...rows,
  ].join("\n");
}

function fileText({ file }: QuantizationPage): string {
  if (file.rows === undefined) return `file as ONNX Runtime runs it: not measured, ${file.reason ?? ""}`;
  const test = file.test === undefined ? "" : `; test loss ${short(file.test.loss)}${accuracyText(file.test.accuracy)}`;
  return `file as ONNX Runtime runs it: loss ${short(file.rows.loss)}${accuracyText(file.rows.accuracy)}${test}`;
}

function accuracyText(share: number | undefined): string {
  return share === undefined ? "" : `, accuracy ${(100 * share).toFixed(2)} %`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
