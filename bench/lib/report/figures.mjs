import { bars } from './bar-chart.mjs';
import { lines } from './line-chart.mjs';

/** Titles of figures that show several experiments. */
const titles = {
  latency: 'At 500 a second',
  relay: 'Messages through a relay and back',
  memory: 'Memory for each idle connection',
  scaling: 'Several gateways',
  growth: 'As more is stored',
};

/**
 * The figures of a run. Experiments of one group (`relay-64-1`, `relay-64-100`) share one.
 *
 * @param {import('./summarise.mjs').Result} result
 * @returns {{ name: string, title: string, experiments: import('./summarise.mjs').Experiment[], svg: string }[]}
 */
export function figures(result) {
  return [...grouped(result.experiments)]
    .map(([name, experiments]) => ({ name, experiments, title: titles[name] ?? experiments[0].title }))
    .map((figure) => {
      const draw = figure.experiments.some(({ axis }) => axis !== undefined) ? lines : bars;
      const measured = figure.experiments.some(({ series }) => series.length > 0);
      return { ...figure, svg: measured ? draw(figure.experiments, result, figure.title) : undefined };
    });
}

function groupOf({ name }) {
  return name.split('-', 1)[0];
}

function grouped(experiments) {
  const groups = new Map();
  for (const experiment of experiments) {
    const name = groupOf(experiment);
    groups.set(name, [...(groups.get(name) ?? []), experiment]);
  }
  return groups;
}
