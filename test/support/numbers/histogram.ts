/** Counts times by intervals of one width; the first interval begins at the earliest time. */
export function histogram(moments: readonly number[], widthMs: number): number[] {
  const start = Math.min(...moments);
  const counts: number[] = [];
  for (const moment of moments) {
    const bucket = Math.floor((moment - start) / widthMs);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}

/** Draws a histogram as lines of text. */
export function drawn(counts: readonly number[], widthMs: number): string {
  const perMark = Math.max(1, Math.ceil(Math.max(...counts) / 60));
  const lines = counts.map((count, bucket) => {
    const from = (bucket * widthMs).toString().padStart(6);
    return `${from} ms ${count.toString().padStart(4)} ${'#'.repeat(Math.ceil(count / perMark))}`;
  });
  return lines.join('\n');
}
