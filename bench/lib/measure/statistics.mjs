/** The value below which a share of them lies, between two of them in proportion. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values) {
  return quantile(values, 0.5);
}

/**
 * One series against another, round by round: both ran within the same seconds, so what else the machine did
 * weighs on both.
 *
 * @param {readonly number[]} samples
 * @param {readonly number[]} baseline of the same rounds
 */
export function ratioOf(samples, baseline) {
  const ratios = samples.map((sample, round) => sample / baseline[round]).filter(Number.isFinite);
  return {
    median: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}
