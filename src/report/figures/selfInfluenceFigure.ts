import { dot } from "@observablehq/plot";
import type { SelfInfluence } from "../../applications/influence/index.ts";
import { formatCount, formatNumber } from "../format.ts";
import type { Markup } from "../markup.ts";
import { colour, drawFigure } from "./drawFigure.ts";
import { linearLabel, logarithmicScale } from "./logarithmicTicks.ts";

/** Points that are drawn; of more rows, those of largest self-influence and an even choice of the others. */
const MOST_POINTS = 2000;

/** Each row's influence on itself against its loss, on logarithmic axes where the numbers span more than a factor of five. */
export function selfInfluenceFigure(self: SelfInfluence): Markup {
  const place = new Map(self.rows.map((row, index) => [row, index]));
  const first = self.ranking.slice(0, MOST_POINTS / 2);
  const others = self.ranking.slice(MOST_POINTS / 2);
  const stride = Math.max(1, Math.ceil(others.length / (MOST_POINTS / 2)));
  const drawn = [...first, ...others.filter((_, i) => i % stride === 0)];
  const points = drawn
    .map((row) => ({ loss: self.losses[place.get(row)!]!, score: self.scores[place.get(row)!]! }))
    .filter(({ loss, score }) => loss > 0 && score > 0);
  const [largest] = self.ranking;
  return drawFigure(
    {
      x: { label: "loss of the row", grid: true, ...axisOf(points.map(({ loss }) => loss)) },
      y: { label: "self-influence", grid: true, ...axisOf(points.map(({ score }) => score)) },
      marks: [dot(points, { x: "loss", y: "score", fill: colour("series-1"), r: 2.5, fillOpacity: 0.6 })],
    },
    {
      title: "Self-influence and loss",
      description: `${formatCount(points.length)} rows; the largest self-influence, ${formatNumber(self.scores[place.get(largest!)!]!, 3)}, is that of row ${largest}.`,
      caption:
        points.length < self.rows.length
          ? { html: `${formatCount(points.length)} of ${formatCount(self.rows.length)} rows are drawn.` }
          : { html: "Each point is a row." },
    },
  );
}

/** A logarithmic axis, or a linear one where the numbers are alike. */
function axisOf(values: readonly number[]) {
  return logarithmicScale(values) ?? { tickFormat: linearLabel };
}
