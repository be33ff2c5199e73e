import { median } from '../measure/statistics.mjs';

/** Above this share of the servers' CPU, the load generator's own CPU is reported. */
const REPORTED_SHARE = 0.5;

/**
 * The remarks about the load generator beside the numbers of a series; bench/README.md explains the rule.
 *
 * @param {import('./summarise.mjs').Series} series
 * @param {'server' | 'baseline'} [role] the role of the series in the row of the remark
 * @returns {string[]}
 */
export function loadRemarks(series, role = 'server') {
  const share = median(sharesOf(series));
  return [
    ...limits(series).map((words) => (role === 'server' ? words : `${words}, for the ${role}`)),
    ...(share > REPORTED_SHARE ? [`load generator: ${share.toFixed(2)} of the ${role}'s CPU`] : []),
  ];
}

function limits({ limitedByLoad, limitedRounds = 0, samples }) {
  if (limitedByLoad) return ['the load generator was the limit'];
  return limitedRounds > 0 ? [`the load generator was the limit in ${limitedRounds} of ${samples.length} rounds`] : [];
}

/** Older results have no shares, only the CPU of the load generator. */
function sharesOf({ loadShare, load = [], samples }) {
  return loadShare ?? load.map((own, round) => own / samples[round]);
}
