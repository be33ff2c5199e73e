import { median, ratioOf } from '../measure/statistics.mjs';
import { loadRemarks } from './load-remarks.mjs';

/**
 * @typedef {object} Series
 * @property {string} id
 * @property {string} label
 * @property {number[]} samples one for each round, in the experiment's unit
 * @property {number[]} [redis] Redis's own CPU, likewise
 * @property {number[]} [load] the load generator's own CPU, likewise
 * @property {number[]} [loadShare] the load generator's CPU as a share of the servers', likewise
 * @property {boolean} [limitedByLoad] the load generator was the limit in more than half of the rounds
 * @property {number} [limitedRounds] the number of rounds in which it was
 * @property {number} [coresFull] share of the machine's CPU time that the processes of the run used, 0..1
 * @property {number} [x] its place on the axis, if the experiment has one
 * @property {string} [note]
 *
 * @typedef {object} Experiment
 * @property {string} name
 * @property {string} title
 * @property {string} unit the unit, then what it is of
 * @property {string} baseline id of a series
 * @property {number} rounds
 * @property {number} [operationsPerRound]
 * @property {{ label: string, scale: 'linear' | 'log', ideal?: 'proportional' }} [axis] if given, the experiment is drawn as lines
 * @property {Series[]} series
 * @property {{ id: string, label: string, reason: string }[]} [skipped]
 *
 * @typedef {object} Result
 * @property {object} machine
 * @property {Record<string, string>} versions
 * @property {string} when
 * @property {boolean} quick
 * @property {string} commit
 * @property {Experiment[]} experiments
 */

/** The ratios of two series round by round, of their samples or of another column. */
export function ratiosOf(series, against, column = 'samples') {
  const { median: middle, lowest, highest } = ratioOf(series[column], against[column]);
  const samples = series[column].map((sample, round) => sample / against[column][round]).filter(Number.isFinite);
  return { median: middle, min: lowest, max: highest, samples };
}

/** The rows of an experiment's table: the baseline first, then by cost unless there is an axis. */
export function rowsOf(experiment) {
  const baseline = experiment.series.find(({ id }) => id === experiment.baseline);
  const rows = experiment.series.map((series) => ({
    id: series.id,
    label: series.label,
    x: series.x,
    isBaseline: series === baseline,
    value: spread(series.samples),
    ratio: baseline && ratiosOf(series, baseline),
    redis: series.redis && spread(series.redis),
    remarks: [...loadRemarks(series), ...coresRemark(series), ...(series.note === undefined ? [] : [series.note])],
  }));
  if (experiment.axis !== undefined) return rows;
  const cost = (row) => row.ratio?.median ?? row.value.median;
  return rows.sort((a, b) => Number(b.isBaseline) - Number(a.isBaseline) || cost(a) - cost(b));
}

function coresRemark({ coresFull }) {
  return coresFull === undefined ? [] : [`cores ${Math.round(coresFull * 100)} % full`];
}

/** @param {number[]} samples */
function spread(samples) {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples };
}
