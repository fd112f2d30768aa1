import { beforeAll, describe, expect, test } from "vitest";
import { empiricalFisher, ggn, hessian } from "../../src/operators/index.ts";
import { sampled } from "../sampled.ts";
import { expectForm, expectNear, expectVector, type Fixture, LIMIT, type LossName, readFixture } from "./fixture.ts";

const models: Readonly<Record<string, { readonly cases: readonly string[]; readonly losses: readonly LossName[] }>> = {
  digits_mlp_op13: { cases: ["train", "train50"], losses: ["cross_entropy", "mse", "bce_with_logits"] },
  mnist_mlp_op13: { cases: ["test64"], losses: ["cross_entropy", "mse", "bce_with_logits"] },
  mnist_cnn_bn_op13: { cases: ["test64"], losses: ["cross_entropy"] },
  mnist_vit_op17: { cases: ["test64"], losses: ["cross_entropy"] },
};

describe.each(Object.entries(models))("%s", (name, { cases, losses }) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await readFixture(name);
  });

  test("parameters have the names, the order and the shapes of the file", () => {
    const given = fixture.model.parameters.map(({ name: parameter, dims }) => ({ parameter, dims: [...dims] }));
    expect(given).toEqual(fixture.parameters.map(({ name: parameter, shape }) => ({ parameter, dims: shape })));
  });

  describe.each(cases)("%s", (caseName) => {
    test.each(sampled(losses, 1))("%s: loss, gradient and products are PyTorch's", async (loss) => {
      const stored = fixture.stored(caseName, loss);
      const risk = await fixture.open({ caseName, loss });
      try {
        expectNear(await risk.loss(), stored.mean.loss, stored.mean.loss * LIMIT);
        expectVector(await risk.gradient(), stored.mean.gradient, fixture);
        expectVector(await hessian(risk).matvec(fixture.v), stored.hessian.product_v, fixture);
        await expectForm(hessian(risk), stored.hessian.product_v, fixture);
        expectVector(await ggn(risk).matvec(fixture.v), stored.ggn.product_v, fixture);
        await expectForm(ggn(risk), stored.ggn.product_v, fixture);
        expectVector(await empiricalFisher(risk).matvec(fixture.v), stored.empirical_fisher.product_v, fixture);
        await expectForm(empiricalFisher(risk), stored.empirical_fisher.product_v, fixture);
      } finally {
        await risk.dispose();
      }
    });

    test.each(sampled(losses, 2))(
      '%s: loss and gradient with reduction "sum", in batches, are PyTorch\'s',
      async (loss) => {
        const stored = fixture.stored(caseName, loss);
        const risk = await fixture.open({ caseName, loss, reduction: "sum", batchSize: 48 });
        try {
          expectNear(await risk.loss(), stored.sum.loss, stored.sum.loss * LIMIT);
          expectVector(await risk.gradient(), stored.sum.gradient, fixture);
        } finally {
          await risk.dispose();
        }
      },
    );

    test.each(sampled(losses, 1))("%s: float32 agrees to 1e-4", async (loss) => {
      const stored = fixture.stored(caseName, loss);
      const risk = await fixture.open({ caseName, loss, dtype: "float32" });
      const limits = { ...fixture, limit: 1e-4 };
      try {
        expectNear(await risk.loss(), stored.mean.loss, stored.mean.loss * 1e-4);
        expectVector(await risk.gradient(), stored.mean.gradient, limits);
        expectVector(await hessian(risk).matvec(fixture.v), stored.hessian.product_v, limits);
        await expectForm(hessian(risk), stored.hessian.product_v, limits);
        expectVector(await ggn(risk).matvec(fixture.v), stored.ggn.product_v, limits);
        await expectForm(ggn(risk), stored.ggn.product_v, limits);
        expectVector(await empiricalFisher(risk).matvec(fixture.v), stored.empirical_fisher.product_v, limits);
        await expectForm(empiricalFisher(risk), stored.empirical_fisher.product_v, limits);
      } finally {
        await risk.dispose();
      }
    });
  });
});
