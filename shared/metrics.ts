import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ABNORMAL_CLOSURE, closeCodes, closeReasons, NO_STATUS } from './close-codes.ts';
import { refusalCodes } from './refusals.ts';

/** Close codes from a client or the network, beside those of the table (RFC 6455 §7.4.1). */
const FOREIGN_CODES = [1000, 1001, NO_STATUS, ABNORMAL_CLOSURE];
const OTHER = 'other';
const CLOSE_LABELS = [
  ...new Set([...FOREIGN_CODES, ...closeReasons.map((reason) => closeCodes[reason].code)].sort((a, b) => a - b)),
].map(String);

const OPERATIONS = [
  'issue',
  'consume',
  'note',
  'refuse',
  'close',
  'revoke',
  'renew',
  'lease',
  'read',
  'list',
  'control',
  'announce',
  'count',
] as const;
export type StoreOperation = (typeof OPERATIONS)[number];

interface Row {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly service: 'ticket' | 'gateway' | 'both';
  readonly help: string;
  /** The only label, if there is one, and the closed set of its values. */
  readonly label?: { readonly name: string; readonly values: readonly string[] };
  readonly buckets?: readonly number[];
}

/** THE table of metrics. Labels come from closed sets only, and every series starts at zero. */
export const metricsTable = {
  oncegate_tickets_issued_total: { type: 'counter', service: 'ticket', help: 'Tickets issued.' },
  oncegate_requests_refused_total: {
    type: 'counter',
    service: 'ticket',
    help: 'HTTP requests refused by the ticket service, by code.',
    label: { name: 'code', values: refusalCodes },
  },
  oncegate_handshakes_total: {
    type: 'counter',
    service: 'gateway',
    help: 'Handshakes decided by the gateway, by outcome: admitted, or the code of the refusal.',
    label: { name: 'outcome', values: ['admitted', ...refusalCodes] },
  },
  oncegate_replays_total: {
    type: 'counter',
    service: 'gateway',
    help: 'Tickets presented again after they were spent: one leaked, or a client is broken.',
  },
  oncegate_connections_open: { type: 'gauge', service: 'gateway', help: 'Open connections of this gateway.' },
  oncegate_connections_closed_total: {
    type: 'counter',
    service: 'gateway',
    help: 'Connections ended, by WebSocket close code.',
    label: { name: 'code', values: [...CLOSE_LABELS, OTHER] },
  },
  oncegate_consume_duration_seconds: {
    type: 'histogram',
    service: 'gateway',
    help: 'Time the store took to decide about a ticket.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  },
  oncegate_upstream_duration_seconds: {
    type: 'histogram',
    service: 'gateway',
    help: 'Time an upstream took for its handshake, the dialling included.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  oncegate_accept_delay_seconds: {
    type: 'gauge',
    service: 'both',
    help: 'How long a new connection waits until it is accepted, as last measured; 0 if OVERLOAD_DELAY_MS is 0.',
  },
  oncegate_store_errors_total: {
    type: 'counter',
    service: 'both',
    help: 'Operations that the store did not answer, by operation.',
    label: { name: 'operation', values: OPERATIONS },
  },
} as const satisfies Record<string, Row>;

type MetricName = keyof typeof metricsTable;
type NamesOf<Type extends Row['type']> = {
  [Name in MetricName]: (typeof metricsTable)[Name]['type'] extends Type ? Name : never;
}[MetricName];

/** All metrics of a process. A value that is not in the closed set of its label is dropped. */
export interface Metrics {
  readonly registry: Registry;
  count(name: NamesOf<'counter'>, label?: string): void;
  set(name: NamesOf<'gauge'>, value: number): void;
  observe(name: NamesOf<'histogram'>, seconds: number): void;
}

/** The label of a close code: the code itself, or `other` if it is not in the closed set. */
export function closeCodeLabel(code: number): string {
  return CLOSE_LABELS.includes(String(code)) ? String(code) : OTHER;
}

/** The metrics of one process, which may run one service or both. */
export function createMetrics(services: ReadonlyArray<'ticket' | 'gateway'>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();

  for (const [name, row] of Object.entries<Row>(metricsTable)) {
    if (row.service !== 'both' && !services.includes(row.service)) continue;
    const labelNames = row.label === undefined ? [] : [row.label.name];
    const common = { name, help: row.help, labelNames, registers: [registry] };
    if (row.type === 'counter') {
      const counter = new Counter(common);
      for (const value of row.label?.values ?? []) counter.inc({ [labelNames[0] ?? '']: value }, 0);
      counters.set(name, counter);
    } else if (row.type === 'gauge') {
      gauges.set(name, new Gauge(common));
    } else {
      histograms.set(name, new Histogram({ ...common, buckets: [...(row.buckets ?? [])] }));
    }
  }

  return {
    registry,
    count(name, label) {
      const row: Row = metricsTable[name];
      if (row.label === undefined) counters.get(name)?.inc();
      else if (label !== undefined && row.label.values.includes(label))
        counters.get(name)?.inc({ [row.label.name]: label });
    },
    set: (name, value) => gauges.get(name)?.set(value),
    observe: (name, seconds) => histograms.get(name)?.observe(seconds),
  };
}
