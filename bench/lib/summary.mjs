import { median, ratioOf } from './statistics.mjs';

/** What an experiment found, in a few plain lines for whoever waits at the terminal. */
export function summarise({ name, title, unit, baseline, series, skipped }) {
  const reference = series.find(({ id }) => id === baseline)?.samples;
  const width = Math.max(0, ...series.map(({ id }) => id.length));
  const lines = series.map(({ id, samples, redis, load, limitedByLoad }) => {
    const cells = [id.padEnd(width), rounded(median(samples)).padStart(9)];
    if (reference !== undefined) {
      const ratio = ratioOf(samples, reference);
      cells.push(`x ${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)}..${ratio.highest.toFixed(2)})`.padEnd(22));
    }
    if (redis !== undefined) cells.push(`redis ${rounded(median(redis))}`);
    if (load !== undefined) cells.push(`load ${rounded(median(load))}`);
    if (limitedByLoad) cells.push('LIMITED BY THE LOAD GENERATOR');
    return `  ${cells.join('  ')}`;
  });
  const missing = skipped.map(({ id, reason }) => `  ${id} was skipped: ${reason}`);
  return [`${name}: ${title} (${unit})`, ...lines, ...missing, ''].join('\n');
}

const rounded = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
