import { statSync } from 'node:fs';
import { readTextFile } from './text-file.ts';

export type ParsedFile<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly string[] };

export interface WatchedFileOptions<T> {
  readonly path: string;
  readonly parse: (content: string) => ParsedFile<T>;
  /** Called with what is wrong with a changed file; the last valid content stays in use. */
  readonly onFaults: (faults: readonly string[]) => void;
}

/** The current content of a file: each call of `current` asks the file system whether it has changed. */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #value: T;
  #stamp = '';

  /** @param initial the value until the file was valid once */
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

  /**
   * Reads the file again, even if it has not changed.
   *
   * @returns whether it is valid
   */
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
      return this.#options.parse(readTextFile(this.#options.path));
    } catch {
      return { ok: false, faults: ['cannot be read'] };
    }
  }
}
