import { linear, logarithmic, ticksUpTo } from './axis-scale.mjs';
import { unitOf, value } from './number-format.mjs';
import { rowsOf } from './summarise.mjs';
import { element, line, picture, text } from './svg.mjs';

const WIDTH = 880;
const HEIGHT = 336;
const PANEL = WIDTH / 2;
const TOP = 76;
const BOTTOM = HEIGHT - 80;

/** Draws experiments with an axis, two side by side: the axis to the right, the value upwards from zero. */
export function lines(experiments, result, description) {
  const panels = experiments.filter(({ series }) => series.length > 0);
  const height = Math.ceil(panels.length / 2) * (HEIGHT - 28) + 28;
  const drawn = panels.map((experiment, index) => {
    const at = `translate(${(index % 2) * PANEL} ${Math.floor(index / 2) * (HEIGHT - 28)})`;
    return element('g', { transform: at }, panel(experiment));
  });
  const quick = result.quick ? ' A quick run: it says nothing about speed.' : '';
  const foot = `Rings: medians of ${panels[0]?.rounds ?? 0}; dots: the rounds; whiskers: their spread.${quick}`;
  return picture({ width: WIDTH, height, description }, ...drawn, text(24, height - 14, foot, 'small'));
}

function panel(experiment) {
  const rows = rowsOf(experiment);
  const [first, last] = [rows[0], rows.at(-1)];
  const ideal = experiment.axis.ideal === 'proportional' ? (row) => (first.value.median * row.x) / first.x : undefined;
  const most = Math.max(...rows.map(({ value: found }) => found.max), ideal === undefined ? 0 : ideal(last));
  const ticks = ticksUpTo(most, 4);
  const left = 24 + 12 + 7 * Math.max(...ticks.map((tick) => plain(tick).length));
  const scale = experiment.axis.scale === 'log' ? logarithmic : linear;
  const x = scale([first.x, last.x], [left + 22, PANEL - 40]);
  const y = linear([0, ticks.at(-1)], [BOTTOM, TOP]);
  const points = (of) => rows.map((row) => `${x(row.x).toFixed(1)},${y(of(row)).toFixed(1)}`).join(' ');
  const redis = rows.every((row) => row.redis !== undefined);
  const [title, ...more] = wrapped(experiment.title, 44);

  return [
    text(24, 28, title, 'title'),
    text(24, more.length > 0 ? 46 : 48, more.join(' ') || experiment.unit, more.length > 0 ? 'title' : 'small'),
    ...(more.length > 0 ? [text(24, 63, experiment.unit, 'small')] : []),
    ...ticks.map((tick) => line(left, y(tick), PANEL - 20, y(tick), tick === 0 ? 'one' : 'grid')),
    ...ticks.map((tick) => text(left - 8, y(tick) + 4, plain(tick), 'small', 'end')),
    ...rows.map((row) => text(x(row.x), BOTTOM + 18, row.x.toLocaleString('en-US'), 'small', 'middle')),
    text((left + PANEL - 20) / 2, BOTTOM + 35, experiment.axis.label, 'small', 'middle'),
    ...(ideal === undefined
      ? []
      : [
          element('polyline', { class: 'ideal', points: points(ideal) }),
          text(x(last.x) - 12, y(ideal(last)) + 2, 'in proportion', 'small', 'end'),
        ]),
    ...(redis ? [curve(rows, ({ redis: found }) => found, { x, y, points, us: '' })] : []),
    curve(rows, ({ value: found }) => found, { x, y, points, us: ' us' }),
    ...(redis ? [text(x(last.x), y(last.redis.median) - 12, 'Redis alone', 'small', 'end')] : []),
    text(x(last.x), labelAt(y, last), `${value(last.value.median)} ${unitOf(experiment)}`, 'number', 'end'),
  ].join('');
}

/** The place of the last point's label: above its whisker, or below it near the top of the panel. */
function labelAt(y, { value: found }) {
  const above = y(found.max) - 10;
  return above > TOP + 4 ? above : y(found.min) + 20;
}

function curve(rows, of, { x, y, points, us }) {
  return [
    element('polyline', { class: `path${us}`, points: points((row) => of(row).median) }),
    ...rows.map((row) => line(x(row.x), y(of(row).min), x(row.x), y(of(row).max), `whisker${us}`)),
    ...rows.flatMap((row) =>
      of(row).samples.map((one) => element('circle', { cx: x(row.x), cy: y(one), r: 2, class: `dot${us}` })),
    ),
    ...rows.map((row) => element('circle', { cx: x(row.x), cy: y(of(row).median), r: 4, class: `point${us}` })),
  ].join('');
}

function plain(tick) {
  return (Math.round(tick * 100) / 100).toLocaleString('en-US');
}

/** Breaks a title into lines of at most `most` characters. */
function wrapped(title, most) {
  const found = [''];
  for (const word of title.split(' ')) {
    const longer = `${found.at(-1)} ${word}`.trim();
    if (longer.length <= most) found[found.length - 1] = longer;
    else found.push(word);
  }
  return found;
}
