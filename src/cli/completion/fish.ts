import type { CommandWords, OptionWords, ProgramWords, ValueWords } from './words.js';

/** A script for fish 3 and later. */
export function fishScript({ name, commands, options }: ProgramWords): string {
  const lines = [
    `# fish completion for ${name}; made by: ${name} completion fish`,
    `complete -c ${name} -f`,
    ...options.map((option) => optionLine(name, '__fish_use_subcommand', option)),
    ...commands.flatMap((command) => commandLines(name, command)),
  ];
  return `${lines.join('\n')}\n`;
}

function commandLines(name: string, command: CommandWords): string[] {
  const condition = `__fish_seen_subcommand_from ${command.name}`;
  return [
    `complete -c ${name} -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`,
    ...command.values
      .map(argumentsOf)
      .filter((text) => text !== '')
      .map((text) => `complete -c ${name} -n ${quoted(condition)} ${text}`),
    ...command.options.map((option) => optionLine(name, condition, option)),
  ];
}

function optionLine(name: string, condition: string, { short, long, summary, value }: OptionWords): string {
  const parts = [`complete -c ${name} -n ${quoted(condition)}`];
  if (short !== undefined) parts.push(`-s ${short.slice(1)}`);
  if (long.startsWith('--')) parts.push(`-l ${long.slice(2)}`);
  parts.push(`-d ${quoted(summary)}`);
  // files are not offered for a value, unless it is one
  if (value !== undefined)
    parts.push(`${value.kind === 'file' ? '-r' : '-x'} ${argumentsOf(value)}`.trimEnd());
  return parts.join(' ');
}

function argumentsOf(value: ValueWords): string {
  switch (value.kind) {
    case 'words':
      return `-a ${quoted(value.words.join(' '))}`;
    case 'file':
      return '-F';
    case 'folder':
      return `-a '(__fish_complete_directories)'`;
    case 'any':
      return '';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
