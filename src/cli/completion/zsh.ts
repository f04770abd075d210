import type { CommandWords, OptionWords, ProgramWords, ValueWords } from './words.js';

/** A script for zsh, by its `_arguments`. May be sourced, or be a file `_epr` on the `fpath`. */
export function zshScript({ name, commands, options }: ProgramWords): string {
  return `#compdef ${name}
# zsh completion for ${name}; made by: ${name} completion zsh
_${name}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands
  commands=(
${commands.map((command) => `    ${quoted(`${escaped(command.name)}:${command.summary}`)}`).join('\n')}
  )
  _arguments -C \\
${options
  .flatMap((option) => optionSpecs(option))
  .map((spec) => `    ${quoted(spec)} \\\n`)
  .join('')}    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${commands.map(commandCase).join('\n')}
      esac
      ;;
  esac
}
if [[ \${funcstack[1]} == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function commandCase({ name, options, values }: CommandWords): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...values.map((value, i) => `${i + 1}:${value.kind === 'any' ? 'value' : value.kind}:${actionOf(value)}`),
  ];
  return `        ${name}) _arguments ${specs.map((spec) => `\\\n          ${quoted(spec)}`).join(' ')} ;;`;
}

function optionSpecs({ short, long, summary, value }: OptionWords): string[] {
  const flags = short === undefined || short === long ? [long] : [short, long];
  const rest = value === undefined ? '' : `:value:${actionOf(value)}`;
  return flags.map((flag) => `*${flag}[${escaped(summary)}]${rest}`);
}

function actionOf(value: ValueWords): string {
  switch (value.kind) {
    case 'words':
      return `(${value.words.join(' ')})`;
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'any':
      return ' ';
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[[\]\\:]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
