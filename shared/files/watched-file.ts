import { readFileSync, statSync } from 'node:fs';

export type ParsedFile<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly string[] };

export interface WatchedFileOptions<T> {
  readonly path: string;
  readonly parse: (content: string) => ParsedFile<T>;
  /** Told why a changed file is not used; the old content stays in force. */
  readonly onFaults: (faults: readonly string[]) => void;
}

/** A file whose content counts as it is now: each look asks the file system whether it has changed. */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #value: T;
  #stamp = '';

  /** @param initial what counts until the file has been read well once */
  constructor(options: WatchedFileOptions<T>, initial: T) {
    this.#options = options;
    this.#value = initial;
  }

  current(): T {
    const stamp = this.#look();
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.reload();
    }
    return this.#value;
  }

  /** Reads the file again, changed or not; whether it was good. */
  reload(): boolean {
    const parsed = this.#read();
    if (parsed.ok) this.#value = parsed.value;
    else this.#options.onFaults(parsed.faults);
    return parsed.ok;
  }

  #look(): string {
    try {
      const { ino, size, mtimeNs } = statSync(this.#options.path, { bigint: true });
      return `${ino} ${size} ${mtimeNs}`;
    } catch {
      return 'out of reach';
    }
  }

  #read(): ParsedFile<T> {
    try {
      return this.#options.parse(readFileSync(this.#options.path, 'utf8'));
    } catch {
      return { ok: false, faults: ['cannot be read'] };
    }
  }
}
