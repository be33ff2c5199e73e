import { FULL_CORE } from '../machine/full-core.mjs';
import { loadRemarks } from './load-remarks.mjs';
import { ratio } from './number-format.mjs';
import { ratiosOf } from './summarise.mjs';

/**
 * Judges a target by a run.
 *
 * @param {import('./targets.mjs').Target} target
 * @param {import('./summarise.mjs').Result} result
 * @returns {{ outcome: 'met' | 'missed' | 'full' | 'unknown', ratio?: number, why?: string, remarks?: string[] }}
 *   `remarks`: about the load generator, for either series
 */
export function judge(target, result) {
  const experiment = result.experiments.find(({ name }) => name === target.experiment);
  if (experiment === undefined) return { outcome: 'unknown', why: 'not run' };
  const series = find(experiment, target.series);
  const against = find(experiment, target.against);
  const absent = [series, against].find(({ samples }) => samples === undefined);
  if (absent !== undefined) return { outcome: 'unknown', why: absent.reason };

  const { median: measured } = ratiosOf(series, against, target.column);
  const remarks = [...loadRemarks(series), ...loadRemarks(against, 'baseline')];
  const found = { ratio: measured, ...(remarks.length > 0 && { remarks }) };
  if (result.quick) return { outcome: 'unknown', ...found, why: 'a quick run' };
  if (holds(target, measured)) return { outcome: 'met', ...found };
  const full =
    target.untilCoresAreFull === true && Math.max(series.coresFull ?? 0, against.coresFull ?? 0) >= FULL_CORE;
  return { outcome: full ? 'full' : 'missed', ...found };
}

/** The bound in words, for example `at most 0.90`. */
export function boundOf({ atMost, below, atLeast }) {
  if (atMost !== undefined) return `at most ${atMost.toFixed(2)}`;
  return below !== undefined ? `below ${below.toFixed(2)}` : `at least ${atLeast.toFixed(2)}`;
}

/** A ratio with enough digits to show on which side of the bound it lies: 0.904 misses `at most 0.90`. */
export function ratioBeside(target, measured) {
  const texts = [ratio(measured), ...[3, 4, 5].map((digits) => measured.toFixed(digits))];
  return texts.find((text) => holds(target, Number(text)) === holds(target, measured)) ?? String(measured);
}

function holds({ atMost, below, atLeast }, measured) {
  if (atMost !== undefined) return measured <= atMost;
  return below !== undefined ? measured < below : measured >= atLeast;
}

function find(experiment, id) {
  const found = experiment.series.find((series) => series.id === id);
  // A series that was skipped has no percentiles either.
  const skipped = experiment.skipped?.find((series) => id === series.id || id.startsWith(`${series.id}-`));
  return found ?? { reason: skipped === undefined ? `no series ${id}` : `${skipped.label}: ${skipped.reason}` };
}
