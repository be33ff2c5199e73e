/**
 * The Mann-Whitney U test: how far the ranks of two samples are from those of one and the same
 * distribution, in standard deviations (the normal approximation, with average ranks for ties). It
 * looks at the order of the values alone, so no outlier of a busy machine weighs more than its place.
 *
 * @returns positive where the first sample is the greater; where both are of one distribution,
 *   beyond 4 either way in one case of 15,000
 */
export function rankDistance(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second].sort((a, b) => a - b);
  const rankOf = (value: number): number => (all.indexOf(value) + all.lastIndexOf(value)) / 2 + 1;
  const sum = first.reduce((total, value) => total + rankOf(value), 0);
  const [n, m] = [first.length, second.length];
  const u = sum - (n * (n + 1)) / 2;
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}
