/**
 * One of the things that an experiment compares.
 *
 * @typedef {object} Variant
 * @property {string} id
 * @property {string} label
 * @property {string} [note]
 * @property {() => Promise<Running>} start if it throws, the variant is skipped with the reason
 *
 * @typedef {object} Running
 * @property {(round: number) => Promise<import('./measure-cpu.mjs').Sample>} sample measures one round; rounds below 0 warm up
 * @property {() => Promise<void>} [stop]
 */

/**
 * Starts all variants, warms them up, and lets them take turns, A B C A B C: so other load on the machine affects them
 * alike. A sample that fails is repeated once, because a busy machine may be the cause; the series says so. If it fails
 * again, the variant is skipped from then on, and the others go on.
 *
 * @param {readonly Variant[]} variants the baseline first
 * @param {{ rounds: number, say?: (text: string) => void, warmUps?: number }} options
 *   `warmUps`: rounds before the first that counts
 * @returns {Promise<{ series: object[], skipped: object[], samples: Map<string, object[]> }>} `series` and `skipped`
 *   as in the result; `samples` by variant, round by round
 */
export async function takeTurns(variants, { rounds, say = () => {}, warmUps = 1 }) {
  const running = new Map();
  const skipped = [];
  const repeated = new Map();
  const samples = new Map(variants.map(({ id }) => [id, []]));

  async function attempt({ id, label }, task) {
    try {
      return await task();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(`${id} is skipped: ${reason}`);
      skipped.push({ id, label, reason });
      const started = running.get(id);
      running.delete(id);
      samples.delete(id);
      await started?.stop?.();
    }
  }

  async function sampleOf({ id }, started, round) {
    try {
      return await started.sample(round);
    } catch (error) {
      say(`${id}, repeated: ${error.message}`);
      repeated.set(id, (repeated.get(id) ?? 0) + 1);
      return started.sample(round);
    }
  }

  for (const variant of variants) {
    const started = await attempt(variant, variant.start);
    if (started !== undefined) running.set(variant.id, started);
  }
  try {
    for (let round = -warmUps; round < rounds; round += 1) {
      say(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
      for (const variant of variants) {
        const started = running.get(variant.id);
        if (started === undefined) continue;
        const sample = await attempt(variant, () => sampleOf(variant, started, round));
        if (sample !== undefined && round >= 0) samples.get(variant.id)?.push(sample);
      }
    }
  } finally {
    for (const started of running.values()) await started.stop?.();
  }
  const series = variants
    .filter(({ id }) => running.has(id))
    .map((variant) => toSeries(variant, samples.get(variant.id), repeated.get(variant.id)));
  return { series, skipped, samples };
}

function toSeries({ id, label, note }, samples, repeated) {
  const notes = [note, repeated && `${repeated} of its samples failed at first and were repeated`];
  const column = (name) => samples.map((sample) => sample[name]);
  const limitedRounds = samples.filter(({ limitedByLoad }) => limitedByLoad).length;
  return {
    id,
    label,
    samples: column('value'),
    ...(samples.some(({ redis }) => redis !== undefined) && { redis: column('redis') }),
    ...(samples.some(({ load }) => load !== undefined) && { load: column('load') }),
    ...(samples.some(({ loadShare }) => loadShare !== undefined) && { loadShare: column('loadShare') }),
    // One round does not change the median.
    limitedByLoad: limitedRounds * 2 > samples.length,
    ...(limitedRounds > 0 && { limitedRounds }),
    ...(notes.some(Boolean) && { note: notes.filter(Boolean).join('; ') }),
  };
}
