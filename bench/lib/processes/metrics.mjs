/** Reads one series from a service's admin port, for example `oncegate_handshakes_total{outcome="admitted"}`. */
export async function readMetric({ adminPort }, series) {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no metric ${series}`);
  return Number(line.slice(series.length + 1));
}
