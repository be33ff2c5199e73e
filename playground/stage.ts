import { byId, make } from './dom.ts';
import { Life } from './life.ts';
import type { Line } from './recording.ts';
import type { Facts, Issued, Service } from './service.ts';
import type { Told } from './told.ts';

const RETRY_IN_WORDS = {
  never: 'Trying again does not help: a person has to change something.',
  reissue: 'Ask for a new ticket at once and connect again.',
  backoff: 'Wait, then ask for a new ticket and connect again.',
} as const;

/** What there is to say about the browser's account. */
const ABOUT_THE_BROWSER = {
  refused: 'A script is told nothing else. No status, no header, no reason.',
  ended: 'Once it is open, a connection is told why it ends. A refused one never is.',
  opened: '',
  'no-socket': 'Without a ticket there is nothing to open. Asking for one is an ordinary fetch, which does say why.',
} as const;

/** Where everything is shown: one act at a time, the latest that was begun. */
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
      const link = make('a', '', `All about ${code}`);
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
      make('p', 'told-title', 'This service cannot simulate it'),
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

/** Something that is tried, and the only one that may show what comes of it. */
export interface Act {
  /** What is being done now. */
  step(text: string): void;
  /** This ticket is the one that it is about. */
  follow(issued: Issued): void;
  /** The ticket's record is likely to have changed. */
  refresh(): void;
  /** Something that the browser said. */
  line(line: Line): void;
  /** What Oncegate said, which is the end of it. */
  tell(told: Told): void;
  /** It cannot be shown here: what to do instead. */
  byHand(text: string): void;
}

function itemOf({ kind, text, detail }: Line): HTMLLIElement {
  const item = make('li', 'event', make('span', 'event-name', text), ' ', make('span', 'event-detail', detail ?? ''));
  item.dataset.kind = kind;
  return item;
}

/** A code may be broken behind its underscores, so that it is never cut. */
function breakable(code: string): Array<Node | string> {
  return code.split(/(?<=_)/).flatMap((part) => [part, make('wbr')]);
}
