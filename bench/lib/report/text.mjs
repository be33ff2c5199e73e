import { boundOf, judge, ratioBeside } from './judge.mjs';
import { range, ratio, unitOf, value } from './numbers.mjs';
import { rowsOf } from './summarise.mjs';
import { targets } from './targets.mjs';

/** What the terminal shows of a run: a table per experiment, then the targets that were judged. */
export function textReport(result) {
  return `${[...result.experiments.map(experimentText), targetsText(result)].join('\n\n')}\n`;
}

/** One experiment's table; main prints it as soon as the experiment is over. */
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

export function roundsText(rounds) {
  return rounds === 1 ? '1 round' : `${rounds} rounds`;
}

/** The targets that a run can be held against. */
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
  return rows.length === 0 ? 'Targets: none concerned' : `Targets\n${columns(rows)}`;
}

/** Columns are aligned to the right, but for the last, which is text. */
function columns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padStart(widths[i]))).join('  '))
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}
