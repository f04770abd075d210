/** Node's options that a worker thread takes, and whether a value follows; others are the process's (V8, memory, the inspector). */
const TAKEN: Readonly<Record<string, boolean>> = {
  '--import': true,
  '--require': true,
  '-r': true,
  '--loader': true,
  '--experimental-loader': true,
  '--conditions': true,
  '-C': true,
  '--enable-source-maps': false,
};

/**
 * Those of the arguments of Node that threads are to have, too. A thread that is given one which is the process's alone
 * does not start.
 */
export function threadArguments(ofProcess: readonly string[]): string[] {
  const args: string[] = [];
  for (let i = 0; i < ofProcess.length; i++) {
    const argument = ofProcess[i]!;
    const [name = ''] = argument.split('=', 1);
    const hasValue = TAKEN[name];
    if (hasValue === undefined) continue;
    args.push(argument);
    if (hasValue && name === argument) args.push(ofProcess[++i] ?? '');
  }
  return args;
}
