import { median } from '../measure/statistics.mjs';

/** Above this share of the servers' CPU the load generator is no longer much cheaper than what it drives. */
const CHEAP = 0.5;

/**
 * What has to be said about the load generator beside the numbers of a series; bench/README.md explains the rule.
 *
 * @param {import('./summarise.mjs').Series} series
 * @param {'server' | 'baseline'} [role] what the series is where the remark stands
 * @returns {string[]}
 */
export function loadRemarks(series, role = 'server') {
  const share = median(sharesOf(series));
  return [
    ...limits(series).map((words) => (role === 'server' ? words : `${words}, for the ${role}`)),
    ...(share > CHEAP ? [`load generator: ${share.toFixed(2)} of the ${role}'s CPU`] : []),
  ];
}

function limits({ limitedByLoad, limitedRounds = 0, samples }) {
  if (limitedByLoad) return ['the load generator was the limit'];
  return limitedRounds > 0 ? [`the load generator was the limit in ${limitedRounds} of ${samples.length} rounds`] : [];
}

/** Results did not always have the shares themselves. */
function sharesOf({ loadShare, load = [], samples }) {
  return loadShare ?? load.map((own, round) => own / samples[round]);
}
