import { formatNumber } from "./format.ts";
import { html, type Markup } from "./markup.ts";

/** A term that the report explains at its end, with its formula. */
interface Definition {
  readonly name: string;
  readonly formula: Markup;
  readonly meaning: string;
}

/** Every term that numbers of the report link to. Formulas are plain HTML, so that any browser and print show them. */
export const DEFINITIONS = {
  loss: {
    name: "Loss",
    formula: html`<i>L</i>(<i>θ</i>) = <i>c</i> ∑<sub><i>n</i></sub> ℓ(<i>f</i>(<i>x<sub>n</sub></i>, <i>θ</i>), <i>y<sub>n</sub></i>)`,
    meaning:
      "The objective whose curvature this is: c = 1 for a sum; for a mean, one over the number of terms in the whole data set. θ are the weights, f the outputs of the network.",
  },
  gradient: {
    name: "Gradient norm",
    formula: html`|<i>g</i>| = √(∑<sub><i>i</i></sub> (∂<i>L</i>/∂<i>θ<sub>i</sub></i>)<sup>2</sup>)`,
    meaning:
      "Steepness of the loss. It is zero at a minimum, so a gradient that is not small shows that training stopped before one.",
  },
  hessian: {
    name: "Hessian",
    formula: html`<i>H</i> = ∂<sup>2</sup><i>L</i> / ∂<i>θ</i>∂<i>θ</i>ᵀ`,
    meaning:
      "All second derivatives of the loss. Along a unit vector v the loss is L + s gᵀv + ½ s² vᵀHv + …, so vᵀHv is the curvature along v.",
  },
  ggn: {
    name: "Gauss-Newton matrix",
    formula: html`<i>G</i> = <i>c</i> ∑<sub><i>n</i></sub> <i>J<sub>n</sub></i>ᵀ (∂<sup>2</sup>ℓ/∂<i>f</i>∂<i>f</i>ᵀ) <i>J<sub>n</sub></i>`,
    meaning:
      "The Hessian of the network linearized at its weights (J: derivative of the outputs with respect to the weights). It has no negative eigenvalues for a loss that is convex in the outputs. Schraudolph (2002).",
  },
  fisher: {
    name: "Fisher matrix",
    formula: html`<i>F</i> = <i>c</i> ∑<sub><i>n</i></sub> <i>J<sub>n</sub></i>ᵀ E<sub><i>y</i>~<i>p</i>(·|<i>f<sub>n</sub></i>)</sub>[<i>s s</i>ᵀ] <i>J<sub>n</sub></i>,  <i>s</i> = −∂ log <i>p</i>(<i>y</i>|<i>f<sub>n</sub></i>)/∂<i>f</i>`,
    meaning:
      "The expectation is over labels that the model itself predicts, not those of the data. Type I takes it of outer products of gradients (all labels, or sampled ones), type II of second derivatives; with all labels they are equal. Kunstner, Balles and Hennig (2019).",
  },
  "empirical-fisher": {
    name: "Empirical Fisher matrix",
    formula: html`<i>E</i> = <i>c</i> ∑<sub><i>n</i></sub> <i>g<sub>n</sub> g<sub>n</sub></i>ᵀ`,
    meaning:
      "Second moment of the gradients of the single terms at the labels of the data. If the model fits its data, these gradients are small, and so is this matrix, however large the curvature is.",
  },
  trace: {
    name: "Trace",
    formula: html`tr <i>A</i> = ∑<sub><i>i</i></sub> <i>A<sub>ii</sub></i> = ∑<sub><i>i</i></sub> <i>λ<sub>i</sub></i> = E[<i>v</i>ᵀ<i>A</i><i>v</i>]`,
    meaning:
      "Sum of all eigenvalues, estimated as the mean of vᵀAv over random vectors v of independent signs; each costs one product. Hutchinson (1990).",
  },
  frobenius: {
    name: "Frobenius norm",
    formula: html`‖<i>A</i>‖ = √(∑<sub><i>ij</i></sub> <i>A<sub>ij</sub></i><sup>2</sup>) = √(∑<sub><i>i</i></sub> <i>λ<sub>i</sub></i><sup>2</sup>) = √E|<i>A</i><i>v</i>|<sup>2</sup>`,
    meaning: "Size of the matrix. Large eigenvalues weigh more in it than in the trace.",
  },
  eigenvalue: {
    name: "Eigenvalue and residual",
    formula: html`<i>A</i><i>v</i> = <i>λ</i><i>v</i>,  residual = |<i>A</i><i>v</i> − <i>λ</i><i>v</i>|`,
    meaning:
      "Curvature along the direction v, found by Lanczos iteration. Some eigenvalue of A lies within the residual of the stated one. A value counts as negative here only where it is below zero by more than two residuals and by more than rounding.",
  },
  gap: {
    name: "Distance of Hessian and Gauss-Newton matrix",
    formula: html`‖<i>H</i> − <i>G</i>‖ / ‖<i>H</i>‖`,
    meaning:
      "Share of the Hessian that comes from the curvature of the network itself, which the Gauss-Newton matrix omits.",
  },
  rank: {
    name: "Effective number of directions",
    formula: html`(tr <i>A</i>)<sup>2</sup> / ‖<i>A</i>‖<sup>2</sup>`,
    meaning: "For a matrix without negative eigenvalues: k where k eigenvalues are equal and the others zero.",
  },
  density: {
    name: "Spectral density",
    formula: html`<i>ρ</i>(<i>x</i>) = 1/<i>n</i> ∑<sub><i>i</i></sub> 𝒩(<i>x</i>; <i>λ<sub>i</sub></i>, <i>σ</i><sup>2</sup>)`,
    meaning:
      "Distribution of the eigenvalues by size, as a share of all n, smoothed by a Gaussian of width σ. Estimated from random vectors by Lanczos quadrature. Golub and Welsch (1969); Ghorbani, Krishnan and Xiao (2019).",
  },
  rounding: {
    name: "Rounding of layers",
    formula: html`Δ = max|<i>w</i>| / (2<sup><i>b</i>−1</sup> − 1),  predicted tr <i>H<sub>ℓℓ</sub></i> · <i>Δ</i><sup>2</sup>/24,  measured <i>L</i>(rounded) − <i>L</i>`,
    meaning:
      "The weights of one layer are rounded to b bits, each tensor to its own symmetric grid with step Δ, and all other layers are kept. The prediction takes rounding errors as independent and uniform in [−Δ/2, Δ/2]; at many bits the slope of the loss outweighs it. Biases, scales and tokens are not rounded. Dong et al. (2020).",
  },
  relative: {
    name: "Curvature in units of the weights",
    formula: html`tr(<i>DAD</i>) = ∑<sub><i>i</i></sub> <i>w<sub>i</sub></i><sup>2</sup> <i>A<sub>ii</sub></i>,  <i>D</i> = diag|<i>w</i>|,  E[<i>L</i>(<i>w</i>(1 + <i>sz</i>))] − <i>L</i> ≈ ½ <i>s</i><sup>2</sup> tr(<i>DHD</i>)`,
    meaning:
      "The rise of the loss when each weight changes by a random share s of itself. It stays the same when weights are rescaled without changing the network, which changes traces and eigenvalues of the Hessian without limit (Dinh et al., 2017). Called sharp where less than 1 % suffices to add a tenth of the loss of guessing, flat where more than 10 % is needed. Kwon et al. (2021); Petzka et al. (2021).",
  },
  "mean-curvature": {
    name: "Mean curvature per weight",
    formula: html`tr <i>A<sub>ℓℓ</sub></i> / <i>n<sub>ℓ</sub></i>`,
    meaning:
      "Trace of the diagonal block of a layer over its number of weights: half of it times the squared size of equal random disturbances of the layer's weights is the rise of the loss for each weight. Rounding to equal bits is another question, since steps differ between layers: see Rounding of layers.",
  },
  "relative-error": {
    name: "Relative error of an approximation",
    formula: html`‖<i>A</i> − <i>K</i>‖ / ‖<i>A</i>‖ = √(E|<i>Az</i> − <i>Kz</i>|<sup>2</sup> / E|<i>Az</i>|<sup>2</sup>)`,
    meaning:
      "Distance of the approximation K from the matrix A in the Frobenius norm, from random vectors z; 0 if they are equal, 1 for the approximation by zeros. Within a layer, of its diagonal block. KFAC: Martens and Grosse (2015); EKFAC: George et al. (2018).",
  },
  preconditioner: {
    name: "Preconditioner",
    formula: html`(<i>K</i> + <i>δI</i>)<sup>−1</sup>(<i>A</i> + <i>δI</i>) <i>x</i> = (<i>K</i> + <i>δI</i>)<sup>−1</sup> <i>b</i>`,
    meaning:
      "Conjugate gradients take few products with A where the eigenvalues of the preconditioned matrix lie close together. An approximation that is near in norm can still spread small eigenvalues and make them more.",
  },
  "standard-error": {
    name: "± standard error",
    formula: html`<i>s</i> / √<i>m</i>`,
    meaning:
      "Standard deviation of the estimate over repetitions with other random vectors, from the spread s of its m samples. The truth lies within one of them in about two cases of three, within two in about 95 of 100. Numbers without it are exact up to rounding.",
  },
  product: {
    name: "Product, and cost in gradients",
    formula: html`<i>v</i> ↦ <i>A</i><i>v</i>`,
    meaning:
      "One product of a matrix with one vector over the whole data set; no matrix is formed. The unit of time is one gradient of the loss over the same data.",
  },
} as const satisfies Record<string, Definition>;

/** Anchor of a definition. */
export type DefinitionName = keyof typeof DEFINITIONS;

/** Text with a link to its definition, if the page has one. */
export function linked(name: DefinitionName | undefined, text: string | Markup): Markup {
  if (name === undefined) return html`${text}`;
  return html`<a class="term" href="#def-${name}">${text}</a>`;
}

/** The definition of this name; undefined where the page has none. */
export function definitionNamed(name: string | undefined): DefinitionName | undefined {
  return name !== undefined && Object.hasOwn(DEFINITIONS, name) ? (name as DefinitionName) : undefined;
}

/** Deviation of an estimate from its exact value in standard errors. */
export function offBy(deviation: number): Markup {
  return html`off by ${formatNumber(Math.abs(deviation), 2)} <abbr title="standard errors">s.e.</abbr>`;
}

/** The list of definitions at the end of the report. */
export function definitionsSection(): Markup {
  const entries = Object.entries(DEFINITIONS).map(
    ([name, { name: title, formula, meaning }]) =>
      html`<div class="definition" id="def-${name}"><dt>${title}</dt><dd><div class="formula">${formula}</div><p>${meaning}</p></dd></div>`,
  );
  return html`<section id="definitions"><h2>Definitions</h2><dl>${entries}</dl></section>`;
}
