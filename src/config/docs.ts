/** The table of settings as documentation. */
import { environmentNames, type Setting } from './setting.js';
import { settings } from './settings.js';

export interface SettingDescription {
  readonly key: string;
  /** Variables, that of the rule first. A `<name>` stands as in the key. */
  readonly environment: string[];
  readonly type: string;
  /** What may be given, as errors say it. */
  readonly allowed: string;
  /** As text; '' when not set. */
  readonly default: string;
  /** What it does in production. */
  readonly meaning: string;
  readonly secret: boolean;
  readonly live: boolean;
}

export function settingsTable(): SettingDescription[] {
  return settings.map((row) => ({
    key: row.key,
    environment: variablesOf(row),
    type: row.type.name,
    allowed: row.type.allowed,
    default: defaultOf(row),
    meaning: row.doc,
    secret: row.secret,
    live: row.live,
  }));
}

function variablesOf(row: Setting): string[] {
  const names = environmentNames(row).map((name) => name.replace(/<([A-Z]+)>/g, '<$1>'));
  // A version or the like has no variable of its own: it is in the JSON of its root.
  if (row.key.split('<').length > 2) return [];
  return row.fromFile ? names.flatMap((name) => [name, `${name}_FILE`]) : names;
}

function defaultOf({ default: value, defaultText, type }: Setting): string {
  if (defaultText !== undefined) return defaultText;
  if (value === undefined) return '';
  return type.show(value);
}

/** The table in Markdown: what stands between the marks of docs/configuration.md. */
export function settingsMarkdown(): string {
  const groups = new Map<string, SettingDescription[]>();
  for (const row of settingsTable()) {
    const parts = row.key.split('.');
    const group = parts[0] === 'kaa' ? `kaa.${parts[1] ?? ''}` : (parts[0] ?? '');
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  // What belongs to the platform comes last.
  return [...groups]
    .sort(([a], [b]) => Number(a.startsWith('kaa.')) - Number(b.startsWith('kaa.')))
    .map(
      ([group, rows]) =>
        `### ${group}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.map(line).join('')}`,
    )
    .join('\n');
}

function line(row: SettingDescription): string {
  const marks = [row.live ? ' _Live._' : '', row.secret ? ' _Secret._' : ''].join('');
  const others = row.environment.slice(1).map((name) => `\`${name}\``);
  const also = others.length > 0 ? ` Also in ${others.join(', ')}.` : '';
  const isPlain =
    row.default !== '' &&
    settings.some(({ key, defaultText }) => key === row.key && defaultText === undefined);
  const shown = isPlain ? `\`${row.default}\`` : row.default;
  return `| \`${row.key}\` | ${row.type} | ${cell(shown)} | ${cell(row.meaning)}${also}${marks} |\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
