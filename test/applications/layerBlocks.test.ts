import { expect, test } from "vitest";
import { layerBlocks } from "../../src/applications/index.ts";

const parameter = (name: string, layer: string, offset: number, size: number) => ({
  name,
  layer,
  offset,
  size,
  dims: [size],
});

test("layers whose tensors follow one another keep the order of the file", () => {
  const { layers, order } = layerBlocks([
    parameter("a.w", "a", 0, 4),
    parameter("a.b", "a", 4, 2),
    parameter("c.w", "c", 6, 3),
  ]);
  expect(order).toBeUndefined();
  expect(layers.map(({ name, start, end }) => [name, start, end])).toEqual([
    ["a", 0, 6],
    ["c", 6, 9],
  ]);
  expect(layers[0]?.tensors.map(({ name, start, end }) => [name, start, end])).toEqual([
    ["a.w", 0, 4],
    ["a.b", 4, 6],
  ]);
});

test("interleaved layers are brought together, and order says which weight each entry is", () => {
  const { layers, order } = layerBlocks([
    parameter("a.w", "a", 0, 2),
    parameter("c.w", "c", 2, 1),
    parameter("a.b", "a", 3, 2),
  ]);
  expect(Array.from(order ?? [])).toEqual([0, 1, 3, 4, 2]);
  expect(layers.map(({ name, start, end }) => [name, start, end])).toEqual([
    ["a", 0, 4],
    ["c", 4, 5],
  ]);
});
