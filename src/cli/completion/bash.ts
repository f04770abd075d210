import type { CommandWords, OptionWords, ProgramWords, ValueWords } from './words.js';

/** A script for bash 3.2 and later, which needs nothing but bash. */
export function bashScript({ name, commands, options }: ProgramWords): string {
  return `# bash completion for ${name}; made by: ${name} completion bash
_${name}() {
  local line=\${COMP_LINE:0:COMP_POINT} words word command= option= given=0 at
  COMPREPLY=()
  # not COMP_WORDS, which are cut at every ":" and "="
  read -a words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  word=\${words[\${#words[@]} - 1]}
  for ((at = 1; at < \${#words[@]} - 1; at++)); do
    if [[ -n $option ]]; then
      option=
    elif [[ -z $command ]]; then
      [[ \${words[at]} != -* ]] && command=\${words[at]}
    elif [[ \${words[at]} != -?* ]]; then
      given=$((given + 1))
    else
      case "$command \${words[at]}" in
${indent(commands.flatMap(valuedCase), 8)}
      esac
    fi
  done
  if [[ -z $option && $word == --*=* ]]; then
    option="$command \${word%%=*}"
    word=\${word#*=}
  fi
  if [[ -n $option ]]; then
    case $option in
${indent(commands.flatMap(optionValueCases), 6)}
    esac
  elif [[ -z $command ]]; then
    case $word in
      -*) _${name}_words ${quoted(flagsOf(options))} ;;
      *) _${name}_words ${quoted(commands.map((command) => command.name))} ;;
    esac
  elif [[ $word == -* ]]; then
    case $command in
${indent(
  commands.map((command) => `${command.name}) _${name}_words ${quoted(flagsOf(command.options))} ;;`),
  6,
)}
    esac
  else
    case "$command $given" in
${indent(commands.flatMap(argumentCases), 6)}
    esac
  fi
}
_${name}_words() {
  local reply
  while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen -W "$1" -- "$word")
}
_${name}_files() {
  local reply
  while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen "$1" -- "$word")
  # older than bash 4, or called outside of a completion: names with spaces are not quoted then
  compopt -o filenames 2>/dev/null
}
complete -F _${name} ${name}
`;

  function optionValueCases(command: CommandWords): string[] {
    return command.options.flatMap((option) =>
      option.value === undefined || option.value.kind === 'any'
        ? []
        : [`${patternOf(command, option)}) ${actionOf(option.value)} ;;`],
    );
  }

  function argumentCases(command: CommandWords): string[] {
    return command.values.flatMap((value, i) =>
      value.kind === 'any' ? [] : [`"${command.name} ${i}") ${actionOf(value)} ;;`],
    );
  }

  function actionOf(value: Exclude<ValueWords, { kind: 'any' }>): string {
    switch (value.kind) {
      case 'words':
        return `_${name}_words ${quoted(value.words)}`;
      case 'file':
        return `_${name}_files -f`;
      case 'folder':
        return `_${name}_files -d`;
    }
  }
}

/** After which words a value comes. */
function valuedCase(command: CommandWords): string[] {
  const valued = command.options.filter(({ value }) => value !== undefined);
  if (valued.length === 0) return [];
  return [
    `${valued.map((option) => patternOf(command, option)).join(' | ')}) option="$command \${words[at]}" ;;`,
  ];
}

function patternOf(command: CommandWords, { short, long }: OptionWords): string {
  return [short, long]
    .filter((flag) => flag !== undefined)
    .map((flag) => `"${command.name} ${flag}"`)
    .join(' | ');
}

function flagsOf(options: readonly OptionWords[]): string[] {
  return options.flatMap(({ short, long }) =>
    short === undefined || short === long ? [long] : [short, long],
  );
}

function quoted(words: readonly string[]): string {
  return `'${words.join(' ')}'`;
}

function indent(lines: readonly string[], by: number): string {
  return lines.map((line) => ' '.repeat(by) + line).join('\n');
}
