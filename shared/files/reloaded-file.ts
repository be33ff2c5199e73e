import type { Logger } from '../process/log.ts';
import type { SettingName } from '../settings/table.ts';
import { readTextFile } from './text-file.ts';
import type { ParsedFile } from './watched-file.ts';

export interface ReloadedFileOptions<T> {
  /** The setting that names the file. */
  readonly setting: SettingName;
  readonly file: { readonly path: string; readonly content: string };
  readonly parse: (content: string) => ParsedFile<T>;
  readonly log: Logger;
}

/** The content of a file that is read at start and again on SIGHUP. */
export interface ReloadedFile<T> {
  /** The last valid content. */
  current(): T;
  /** Stops listening for SIGHUP. */
  end(): void;
}

/** An invalid new file changes nothing and is logged. A rule of the settings has checked the file before the start. */
export function reloadedFile<T>({ setting, file, parse, log }: ReloadedFileOptions<T>): ReloadedFile<T> {
  const initial = parse(file.content);
  if (!initial.ok) throw new Error(`${setting} was not checked before the start`);
  let value = initial.value;

  const reload = (): void => {
    const parsed = read(file.path, parse);
    if (parsed.ok) value = parsed.value;
    const outcome = parsed.ok ? { event: 'file_loaded' } : { event: 'file_refused', faults: parsed.faults };
    log[parsed.ok ? 'info' : 'error']({ ...outcome, setting });
  };
  process.on('SIGHUP', reload);
  return { current: () => value, end: () => void process.off('SIGHUP', reload) };
}

function read<T>(path: string, parse: (content: string) => ParsedFile<T>): ParsedFile<T> {
  try {
    return parse(readTextFile(path));
  } catch {
    return { ok: false, faults: ['cannot be read'] };
  }
}
