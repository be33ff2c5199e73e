/**
 * The Mann-Whitney U test: how far the ranks of two samples are from those of one distribution, in standard deviations
 * (normal approximation, average ranks for ties). Only the order of the values counts, so an outlier of a busy machine
 * has little weight.
 *
 * @returns a positive number if the first sample is greater; for samples of one distribution, below -4 or above 4 in
 *   one case of 15,000
 */
export function rankDistance(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second].sort((a, b) => a - b);
  const rankOf = (value: number): number => (all.indexOf(value) + all.lastIndexOf(value)) / 2 + 1;
  const sum = first.reduce((total, value) => total + rankOf(value), 0);
  const [n, m] = [first.length, second.length];
  const u = sum - (n * (n + 1)) / 2;
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}
