import { boundOf, judge, ratioBeside } from './judge.mjs';
import { range, ratio, roundsText, unitOf, value } from './number-format.mjs';
import { rowsOf } from './summarise.mjs';
import { targets } from './targets.mjs';

/** The report of a run for the terminal: a table for each experiment, then the targets. */
export function textReport(result) {
  return `${[...result.experiments.map(experimentText), targetsText(result)].join('\n\n')}\n`;
}

/** The table of one experiment. */
export function experimentText(experiment) {
  const rows = rowsOf(experiment);
  const withRedis = rows.some(({ redis }) => redis !== undefined);
  const baseline = rows.find(({ isBaseline }) => isBaseline);
  const head = `${experiment.title}\n${experiment.unit}; ${roundsText(experiment.rounds)}; 1.00 is ${baseline?.label ?? 'absent'}`;
  const table = columns([
    ['ratio', 'spread', unitOf(experiment), ...(withRedis ? ['Redis'] : []), ''],
    ...rows.map((row) => [
      row.ratio === undefined ? '–' : ratio(row.ratio.median),
      row.ratio === undefined || row.isBaseline ? '' : range(row.ratio),
      value(row.value.median),
      ...(withRedis ? [row.redis === undefined ? '' : value(row.redis.median)] : []),
      [row.label, ...row.remarks].join(' · '),
    ]),
  ]);
  const skipped = (experiment.skipped ?? []).map(({ label, reason }) => `  skipped: ${label}: ${reason}`);
  return [head, table, ...skipped].join('\n');
}

/** The targets of the experiments that were run, with their outcomes. */
export function targetsText(result) {
  const judged = targets.map((target) => ({ target, ...judge(target, result) })).filter(({ why }) => why !== 'not run');
  const words = { met: 'met', missed: 'MISSED', full: 'cores full', unknown: 'unknown' };
  const rows = judged.map(({ target, outcome, ratio: measured, why, remarks = [] }) => [
    words[outcome],
    measured === undefined ? '–' : ratioBeside(target, measured),
    boundOf(target),
    [`${target.what} / ${target.baseline}`.replaceAll('`', ''), ...(why === undefined ? [] : [why]), ...remarks].join(
      ' · ',
    ),
  ]);
  return rows.length === 0 ? 'Targets: none for these experiments' : `Targets\n${columns(rows)}`;
}

/** Aligns all columns to the right except the last, which is text. */
function columns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padStart(widths[i]))).join('  '))
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}
