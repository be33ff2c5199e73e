/** The value below which a share of the values lies, interpolated between neighbours. */
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
 * Divides one series by another, round by round. Both ran within the same seconds, so other load affected both.
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
