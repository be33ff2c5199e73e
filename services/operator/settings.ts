import { settingNames, settingRow } from '../../shared/settings/table.ts';

const WIDTH = 96;

/** The table of settings as text for a terminal. */
export function printSettings(): string {
  return settingNames
    .map((name) => {
      const { type, default: written, defaultNote = 'none', doc } = settingRow(name);
      const fallback = written ?? defaultNote.replaceAll('`', '');
      return [
        name,
        ...wrap(doc.replaceAll('`', ''), '    '),
        ...wrap(`Must be ${type.form}. Default: ${fallback}.`, '    '),
        '',
      ].join('\n');
    })
    .join('\n');
}

function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line];
}
