import { linear, logarithmic, ticksBetween, ticksUpTo } from './axis-scale.mjs';
import { boundOf, judge } from './judge.mjs';
import { ratio, roundsText, unitOf, value } from './number-format.mjs';
import { rowsOf } from './summarise.mjs';
import { element, line, picture, text } from './svg.mjs';
import { targets } from './targets.mjs';

const WIDTH = 880;
const LEFT = 24;
const START = 316;
const END = 716;
const RATIO_AT = 782;
const VALUE_AT = WIDTH - LEFT;
/** Characters of a label that fit in front of the bars. */
const LABEL = 43;
const ROW = 27;
const BAR = 15;
const HEAD = 62;
const GAP = 22;
/** A bar this many times longer than the next one is drawn broken, so that the others stay readable. */
const OUTLIER = 5;
/** For ratios above this the scale is logarithmic: short bars would look the same. */
const LONGEST_LINEAR = 8;
/** Vertical offsets of the dots of consecutive rounds, so that they do not hide each other. */
const LANES = [0, -4, 4, -2, 2];

/** Draws the ratios to each experiment's baseline as horizontal bars, with whiskers for the spread and a dot for each round. */
export function bars(experiments, result, description) {
  const panels = experiments.map((experiment) => ({ experiment, rows: rowsOf(experiment) })).filter(hasRows);
  const longest = longestWhole(panels.flatMap(({ rows }) => rows));
  const scale = scaleOf(panels.flatMap(({ rows }) => rows).filter(({ ratio: found }) => found.median <= longest));

  let y = 0;
  const drawn = panels.map(({ experiment, rows }) => {
    const top = y;
    y += HEAD + rows.length * ROW + GAP;
    return panel({ experiment, rows, result, top, longest, ...scale });
  });
  const broken = panels.some(({ rows }) => rows.some(({ ratio: found }) => found.median > longest));
  const notes = footnotes(panels, result, { ...scale, broken }).map((note, index) =>
    text(LEFT, y + 12 + index * 17, note, 'small'),
  );
  return picture({ width: WIDTH, height: y + 46, description }, ...drawn, ...notes);
}

/** The longest ratio that is drawn without a break. */
function longestWhole(rows) {
  const medians = rows.map(({ ratio: found }) => found.median).sort((a, b) => a - b);
  const gap = medians.findIndex((one, index) => index > 0 && one > OUTLIER * Math.max(1, medians[index - 1]));
  return gap < 0 ? medians.at(-1) : medians[gap - 1];
}

/** A scale with room for the bars and their whiskers. */
function scaleOf(rows) {
  const most = Math.max(1.2, ...rows.map(({ ratio: found }) => found.max));
  if (most <= LONGEST_LINEAR) {
    const ticks = ticksUpTo(most, most > 4 ? LONGEST_LINEAR : undefined);
    return { ticks, x: linear([0, ticks.at(-1)], [START, END]) };
  }
  const ticks = ticksBetween(Math.min(...rows.map(({ ratio: found }) => found.min)), most);
  return { ticks, x: logarithmic([ticks[0], ticks.at(-1)], [START, END]), isLogarithmic: true };
}

function hasRows({ rows }) {
  return rows.length > 0 && rows.every(({ ratio: found }) => found !== undefined);
}

function panel({ experiment, rows, result, top, x, ticks, longest }) {
  const first = top + HEAD;
  const bottom = first + rows.length * ROW;
  return [
    text(LEFT, top + 30, experiment.title, 'title'),
    text(RATIO_AT, top + 52, 'ratio', 'small', 'end'),
    text(VALUE_AT, top + 52, unitOf(experiment), 'small', 'end'),
    ...ticks.map((tick) => line(x(tick), first - 4, x(tick), bottom, tick === ticks[0] ? 'one' : 'grid')),
    ...ticks.map((tick) => text(x(tick), top + 52, shortly(tick), 'small', 'middle')),
    line(x(1), first - 4, x(1), bottom, 'one'),
    ...rows.map((row, index) => bar({ row, experiment, result, x, longest, middle: first + index * ROW + ROW / 2 })),
  ].join('');
}

function bar({ row, experiment, result, x, longest, middle }) {
  const ours = row.id.includes('oncegate') || row.id.startsWith('consume');
  const [lowest, at, highest] = [x(row.ratio.min), x(row.ratio.median), x(row.ratio.max)];
  const broken = row.ratio.median > longest;
  const us = ours ? ' us' : '';
  const spread =
    row.isBaseline || broken || row.ratio.samples.length < 2
      ? []
      : [
          line(lowest, middle, highest, middle, `whisker${us}`),
          line(lowest, middle - 5, lowest, middle + 5, `whisker${us}`),
          line(highest, middle - 5, highest, middle + 5, `whisker${us}`),
          ...row.ratio.samples.map((one, round) => {
            const cy = middle + LANES[round % LANES.length];
            return element('circle', { cx: x(one), cy, r: 2, class: `dot${us}` });
          }),
        ];
  return [
    label(row.label, middle, ours ? ' strong' : ''),
    element('rect', {
      class: ours ? 'ours' : 'peer',
      x: START,
      y: middle - BAR / 2,
      width: Math.max(1, at - START),
      height: BAR,
    }),
    ...(broken ? [breakMark(at - 26, middle)] : []),
    ...spread,
    ...targetMarks({ row, experiment, result, x, middle }),
    text(RATIO_AT, middle + 4.5, ratio(row.ratio.median), 'number', 'end'),
    text(VALUE_AT, middle + 4.5, value(row.value.median), 'value', 'end'),
  ].join('');
}

/** Marks the targets of a series. Targets against another series than the baseline are only in the table. */
function targetMarks({ row, experiment, result, x, middle }) {
  return targets
    .filter(({ experiment: name, series, against }) => {
      return name === experiment.name && series === row.id && against === experiment.baseline;
    })
    .map((target) => {
      const at = x(target.atMost ?? target.below ?? target.atLeast);
      const kind = `target ${judge(target, result).outcome}`;
      return element(
        'g',
        {},
        element('title', {}, `target: ${boundOf(target)}`),
        line(at, middle - ROW / 2 + 2, at, middle + ROW / 2 - 2, kind),
      );
    });
}

function breakMark(x, middle) {
  const [top, bottom] = [middle - BAR / 2 - 2, middle + BAR / 2 + 2];
  return [0, 7].map((by) => element('path', { class: 'break', d: `M${x + by} ${bottom} l6 ${top - bottom}` })).join('');
}

function footnotes(panels, result, { isLogarithmic, broken }) {
  const rounds = panels[0]?.experiment.rounds ?? 0;
  const baselines = new Set(panels.map(({ rows }) => rows.find(({ isBaseline }) => isBaseline).label));
  const against = baselines.size === 1 ? [...baselines][0] : 'the first of each';
  const quick = result.quick ? ' A quick run: it says nothing about speed.' : '';
  const scale = isLogarithmic ? ' The scale is logarithmic.' : '';
  const cut = broken ? ' A broken bar is longer than the scale.' : '';
  return [
    `Shorter is better. 1.00 is ${against}.${scale}${cut}${quick}`,
    `Bars: medians of ${roundsText(rounds)}; dots: the rounds; whiskers: their spread; vertical marks: targets, green if met.`,
  ];
}

/** Breaks a label that is too long after its last comma. */
function label(words, middle, strong) {
  if (words.length <= LABEL) return text(LEFT, middle + 4.5, words, `label${strong}`);
  const comma = words.lastIndexOf(', ');
  const lines =
    comma < 0 ? [words.slice(0, LABEL), words.slice(LABEL)] : [words.slice(0, comma + 1), words.slice(comma + 2)];
  return lines.map((part, index) => text(LEFT, middle - 2 + index * 12.5, part, `label tight${strong}`)).join('');
}

function shortly(tick) {
  return String(Math.round(tick * 100) / 100);
}
