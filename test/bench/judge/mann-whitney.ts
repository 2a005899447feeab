/** 98 % confidence, two-sided. */
const Z = 2.3263478740408408;

/** Of the Hodges–Lehmann estimate. */
const TOLERANCE = 0.25;

/**
 * Whether Kayenta's judge calls the canary's time series `High`: the whole 98 % confidence interval of the shift from the
 * baseline (Mann–Whitney, as R's wilcox.test computes it with ties: normal approximation, correction for continuity and
 * ties) is above a quarter of the estimated shift. https://spinnaker.io/docs/guides/user/canary/judge/
 */
export function isHigh(canary: readonly number[], baseline: readonly number[]): boolean {
  if (canary.length === 0 || baseline.length === 0) return false;
  const a = Float64Array.from(canary).sort();
  const b = Float64Array.from(baseline).sort();
  if (zAt(a, b, 0, true) <= Z) return false;
  const shift = estimatedShift(a, b);
  return shift > 0 && zAt(a, b, TOLERANCE * shift, true) > Z;
}

/** Where the statistic changes sign. */
function estimatedShift(a: Float64Array, b: Float64Array): number {
  let low = (a[0] ?? 0) - (b.at(-1) ?? 0);
  let high = (a.at(-1) ?? 0) - (b[0] ?? 0);
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (zAt(a, b, middle, false) > 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The standardised Mann–Whitney statistic of a − shift against b; both are sorted. */
function zAt(a: Float64Array, b: Float64Array, shift: number, isCorrected: boolean): number {
  const [n, m] = [a.length, b.length];
  let [i, j, u, ties] = [0, 0, 0, 0];
  while (i < n || j < m) {
    const next = Math.min(i < n ? (a[i] ?? 0) - shift : Infinity, j < m ? (b[j] ?? 0) : Infinity);
    const [fromI, fromJ] = [i, j];
    while (i < n && (a[i] ?? 0) - shift === next) i++;
    while (j < m && b[j] === next) j++;
    u += (i - fromI) * (fromJ + (j - fromJ) / 2);
    const tied = i - fromI + j - fromJ;
    ties += tied ** 3 - tied;
  }
  const excess = u - (n * m) / 2;
  const total = n + m;
  const deviation = Math.sqrt(((n * m) / 12) * (total + 1 - ties / (total * (total - 1))));
  if (deviation === 0) return 0;
  return (excess - (isCorrected ? Math.sign(excess) / 2 : 0)) / deviation;
}
