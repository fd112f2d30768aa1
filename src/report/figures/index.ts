export { linearDensityFigure, logarithmicDensityFigure, smoothedDensity } from "./densityFigures.ts";
export { FIGURE_WIDTH } from "./drawFigure.ts";
export { largestEigenvaluesFigure, smallestEigenvaluesFigure } from "./eigenvalueFigures.ts";
export {
  drawnLayers,
  layerMeanFigure,
  layerTrace,
  layerTraceFigure,
  MOST_LAYERS,
  meanCurvature,
} from "./layerFigures.ts";
