import { byId, make } from './dom.ts';
import { Life } from './life.ts';
import type { Line } from './recording.ts';
import type { Facts, Issued, Service } from './service.ts';
import type { Told } from './told.ts';

const RETRY_IN_WORDS = {
  never: 'Trying again does not help: a person must act.',
  reissue: 'Get a new ticket at once and connect again.',
  backoff: 'Wait, then get a new ticket and connect again.',
} as const;

/** What the page adds to the browser's answer. */
const ABOUT_THE_BROWSER = {
  refused: 'A script gets nothing else: no status, no header, no reason.',
  ended: 'When an open connection ends, a script gets the reason. When a connection is refused, it gets none.',
  opened: '',
  'no-socket':
    'Without a ticket no socket is opened. The page asks for one with an ordinary fetch, which does say why it is refused.',
} as const;

/** Shows one act at a time: the one that began last. */
export class Stage {
  readonly #life: Life;
  readonly #events = byId('events', HTMLOListElement);
  readonly #root = byId('stage', HTMLElement);
  #act: Act | undefined;

  constructor(service: Service, { ttl_seconds: ttlSeconds }: Facts) {
    this.#life = new Life(service, ttlSeconds, (record) => {
      byId('record', HTMLElement).textContent = JSON.stringify(record, null, 2);
      byId('record-name', HTMLElement).textContent = `GET /tickets/${record.id}`;
      byId('record-box', HTMLElement).hidden = false;
    });
  }

  begin(title: string): Act {
    const ifCurrent = (show: () => void) => {
      if (this.#act === act) show();
    };
    const act: Act = {
      step: (text) => ifCurrent(() => this.#step(text)),
      follow: (issued) => ifCurrent(() => this.#life.follow(issued)),
      refresh: () => ifCurrent(() => this.#life.refresh()),
      line: (line) => ifCurrent(() => this.#events.append(itemOf(line))),
      tell: (told) => ifCurrent(() => this.#tell(told)),
      byHand: (text) => ifCurrent(() => this.#byHand(text)),
    };
    this.#act = act;
    byId('act', HTMLElement).textContent = title;
    this.#events.replaceChildren();
    this.#told(make('p', 'waiting', 'Waiting for the answer.'));
    this.#shows('opened');
    this.#life.clear();
    byId('record-box', HTMLElement).hidden = true;
    this.#step('');
    if (matchMedia('(width < 62rem)').matches) this.#root.scrollIntoView({ block: 'start' });
    return act;
  }

  #step(text: string): void {
    byId('step', HTMLElement).textContent = text;
  }

  #tell(told: Told): void {
    const { kind, code, where, title, advice, retry, retryAfter, href } = told;
    const facts = make('dl', 'told-facts');
    if (retry !== undefined) {
      const wait = retryAfter === undefined ? '' : ` At least ${retryAfter} s.`;
      facts.append(
        make('dt', '', 'Retry'),
        make('dd', '', make('code', '', retry), `. ${RETRY_IN_WORDS[retry]}${wait}`),
      );
    }
    const more = make('p', 'told-more');
    if (href !== undefined) {
      const link = make('a', '', `More about ${code}`);
      link.href = href;
      more.append(link);
    }
    const name = make('p', 'told-code', ...breakable(code));
    name.id = 'told-code';
    this.#told(
      make('p', 'told-where', where),
      name,
      make('p', 'told-title', title),
      make('p', 'told-advice', advice),
      facts,
      more,
    );
    const last = this.#events.lastElementChild;
    if (last === null) this.#events.append(itemOf({ kind: 'call', text: 'no socket' }));
    this.#shows(last === null ? 'no-socket' : kind);
    this.#step(`The browser says: ${last?.textContent?.trim() ?? 'nothing'}. Oncegate says: ${code}, ${where}.`);
  }

  #byHand(text: string): void {
    this.#told(
      make('p', 'told-where', 'by hand'),
      make('p', 'told-title', 'This service cannot simulate this'),
      make('p', 'told-advice', text),
    );
    this.#shows('opened');
    this.#step(text);
  }

  #shows(what: keyof typeof ABOUT_THE_BROWSER): void {
    this.#root.dataset.shows = what;
    byId('about-browser', HTMLElement).textContent = ABOUT_THE_BROWSER[what];
  }

  #told(...content: HTMLElement[]): void {
    byId('told', HTMLElement).replaceChildren(...content);
  }
}

/** One thing that is tried. Only the act that began last may show its results. */
export interface Act {
  /** Shows what is being done now. */
  step(text: string): void;
  /** Shows the life of this ticket. */
  follow(issued: Issued): void;
  /** Reads the ticket's record again: it may have changed. */
  refresh(): void;
  /** Adds a line to the browser's answer. */
  line(line: Line): void;
  /** Shows Oncegate's answer: the act is over. */
  tell(told: Told): void;
  /** Shows what to do by hand, because the service cannot simulate it. */
  byHand(text: string): void;
}

function itemOf({ kind, text, detail }: Line): HTMLLIElement {
  const item = make('li', 'event', make('span', 'event-name', text), ' ', make('span', 'event-detail', detail ?? ''));
  item.dataset.kind = kind;
  return item;
}

/** A code that may be broken after its underscores, so that it is never cut. */
function breakable(code: string): Array<Node | string> {
  return code.split(/(?<=_)/).flatMap((part) => [part, make('wbr')]);
}
