import type { Argument, Command, Option } from 'commander';

/** What may be typed after a command, for every shell. Taken from the definitions that the commands are parsed with. */
export interface CommandWords {
  name: string;
  summary: string;
  options: OptionWords[];
  /** its arguments, in order */
  values: ValueWords[];
}

export interface OptionWords {
  short: string | undefined;
  long: string;
  summary: string;
  /** undefined: a flag */
  value: ValueWords | undefined;
}

/** What a value is: one of some words, a file, a folder, or something that can't be known here. */
export type ValueWords =
  { kind: 'words'; words: string[] } | { kind: 'file' } | { kind: 'folder' } | { kind: 'any' };

export interface ProgramWords {
  name: string;
  commands: CommandWords[];
  /** of the program itself */
  options: OptionWords[];
}

/** O(definitions). What is hidden in the help is hidden here. */
export function wordsOf(program: Command): ProgramWords {
  const help = program.createHelp();
  const optionsOf = (command: Command): OptionWords[] =>
    help.visibleOptions(command).map((option) => ({
      short: option.short,
      long: option.long ?? option.short ?? '',
      summary: summaryOf(option.description),
      value: option.required || option.optional ? valueOf(option) : undefined,
    }));
  return {
    name: program.name(),
    options: optionsOf(program),
    commands: help.visibleCommands(program).map((command) => ({
      name: command.name(),
      summary: summaryOf(command.summary() || command.description()),
      options: optionsOf(command),
      values: command.registeredArguments.map(valueOf),
    })),
  };
}

/** By its name, as the help shows it: `<file>`, `<folder>`. */
function valueOf(of: Option | Argument): ValueWords {
  if (of.argChoices !== undefined && of.argChoices.length > 0)
    return { kind: 'words', words: [...of.argChoices] };
  const name = 'flags' in of ? (/[<[]([^>\]]+)[>\]]/.exec(of.flags)?.[1] ?? '') : of.name();
  return name === 'file' || name === 'folder' ? { kind: name } : { kind: 'any' };
}

function summaryOf(text: string): string {
  return text.split('\n')[0]!;
}
