import { expect, test } from "vitest";
import { pullback, vjp } from "../../src/autodiff/index.ts";
import { input, substitute, type Value } from "../../src/graph/index.ts";
import { add, matmul, mul, tanh } from "../../src/primitives/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { randomLike } from "../models/running.ts";

const x = input("x", [2, 3]);
const w = input("w", [3, 3]);
const first = tanh(matmul(x, w));
const second = matmul(first, w);
const output = add(mul(second, second), tanh(mul(first, second)));
const c = input("c", [2, 3]);
const feeds = Object.fromEntries(
  [x, w, c].map((value) => {
    const name = (value.params as { readonly name: string }).name;
    return [name, { data: Float64Array.from(randomLike(value.shape, name)), dims: value.shape }];
  }),
);

async function run(outputs: { readonly [name: string]: Value }, more: { readonly [name: string]: Value } = {}) {
  const program = await compile({ inputs: { x, w, c, ...more }, outputs }, { precision: "float64" });
  try {
    const zeros = Object.entries(more).map(([name, { shape }]) => [name, { data: new Float64Array(6), dims: shape }]);
    return await program.run({ ...feeds, ...Object.fromEntries(zeros) });
  } finally {
    await program.release();
  }
}

test("cotangents of values on one path are those of what is added to each", async () => {
  const values = [first, second, output, w];
  const [a, b, o, p] = pullback([output], values, [c]);
  const changes = [first, second].map((value, i) => input(`e${i}`, value.shape));
  const moved = add(first, changes[0]);
  const [later] = substitute([second], new Map([[first, moved]]));
  const [result] = substitute(
    [output],
    new Map([
      [first, moved],
      [second, add(later, changes[1])],
    ]),
  );
  const [ea, eb] = vjp([result], changes, [c]);
  const found = await run({ a: a!, b: b!, o: o!, p: p! });
  const expected = await run({ ea, eb, p: vjp([output], [w], [c])[0] }, { e0: changes[0], e1: changes[1] });
  const close = (u: { readonly data: unknown }, v: { readonly data: unknown }) => {
    for (const [i, entry] of (u.data as Float64Array).entries()) {
      expect(entry).toBeCloseTo((v.data as Float64Array)[i], 12);
    }
  };
  close(found.a, expected.ea);
  close(found.b, expected.eb);
  close(found.p, expected.p);
  close(found.o, feeds.c);
});

test("what the outputs do not depend on has none", () => {
  const other = input("other", [2, 3]);
  expect(pullback([output], [other, tanh(other)], [c])).toEqual([null, null]);
});

test("a value that is asked for twice has its whole cotangent both times", async () => {
  const [a, b, again] = pullback([output], [first, second, first], [c]);
  const results = await run({ a: a!, b: b!, again: again! });
  const [once] = pullback([output], [first, second], [c]);
  const alone = await run({ once: once! });
  expect(results.a.data).toEqual(alone.once.data);
  expect(results.again.data).toEqual(alone.once.data);
});
