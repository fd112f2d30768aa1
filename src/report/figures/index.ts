export { linearDensityFigure, logarithmicDensityFigure, smoothedDensity } from "./densityFigures.ts";
export { FIGURE_WIDTH } from "./drawFigure.ts";
export { largestEigenvaluesFigure, smallestEigenvaluesFigure } from "./eigenvalueFigures.ts";
export {
  distinctPart,
  drawnLayers,
  layerMeanFigure,
  layerTrace,
  layerTraceFigure,
  MOST_LAYERS,
  meanCurvature,
} from "./layerFigures.ts";
export { linearLabel, logarithmicScale, wholeExponents } from "./logarithmicTicks.ts";
