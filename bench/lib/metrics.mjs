/** The value of one series on a service's admin port, for example `oncegate_handshakes_total{outcome="admitted"}`. */
export async function readMetric({ adminPort }, series) {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no metric ${series}`);
  return Number(line.slice(series.length + 1));
}

/**
 * Makes sure that a service counted what the load generator believes to have done.
 *
 * @param {{ adminPort: number }} service
 * @param {string} series
 * @returns {Promise<(count: number) => Promise<void>>} throws unless it has grown by so much since the last time
 */
export async function expectGrowth(service, series) {
  let before = await readMetric(service, series);
  return async (count) => {
    const now = await readMetric(service, series);
    if (now - before !== count) throw new Error(`${series} grew by ${now - before}, not by ${count}`);
    before = now;
  };
}
