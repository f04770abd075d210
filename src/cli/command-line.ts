import { Command, CommanderError } from 'commander';
import { addCompletion } from './commands/completion-command.js';
import { addFilters } from './commands/filters-command.js';
import { addExport, addImport } from './commands/fleet-commands.js';
import { addLogin } from './commands/login-commands.js';
import { addDemo, addWatch } from './commands/other-commands.js';
import { addRepublish } from './commands/republish-command.js';
import { addConfig, addServe } from './commands/serve-commands.js';
import { EXIT_CODES, type Exit } from './commands/shared.js';
import { CliFailure, EXIT, messageOf } from './failure.js';
import { collectSetting } from './options.js';
import { ownVersion } from '../version.js';

/**
 * Runs one command. Answers the exit code when it is over; `serve` answers when the service is stopped. What goes
 * wrong is one line on standard error.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const done = { code: EXIT.ok as number };
  try {
    await createProgram((code) => (done.code = code)).parseAsync(args, { from: 'user' });
    return done.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CliFailure) {
      process.stderr.write(`epr: ${error.message}\n`);
      return error.exitCode;
    }
    process.stderr.write(`epr: ${messageOf(error)}\n`);
    if (process.env['EPR_DEBUG'] !== undefined && error instanceof Error)
      process.stderr.write(`${error.stack ?? ''}\n`);
    return EXIT.failed;
  }
}

/** Paragraphs in one line each: they are wrapped to the width of the terminal, and only once. */
function reflowed(text: string): string {
  return text.replace(/^(\S.*)\n(?=\S)/gm, '$1 ');
}

/** Of an option with one value the last would count, silently. */
function refuseRepeated(command: Command): void {
  for (const option of command.options) {
    if (!option.required || option.parseArg === collectSetting) continue;
    let times = 0;
    command.on(`option:${option.name()}`, () => {
      if (++times > 1)
        command.error(`error: option '${option.flags}' is given twice; allowed: once.`, {
          exitCode: EXIT.usage,
        });
    });
  }
}

function createProgram(exit: Exit): Command {
  const program = new Command('epr')
    .description(
      'The endpoint register: devices, their metadata, and saved filters that follow every change.',
    )
    .version(ownVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ commandDescription: (command) => reflowed(command.description()) })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'epr: ')) })
    .addHelpText(
      'after',
      `
Examples:
  $ epr serve                              the register on http://127.0.0.1:8080, data in ./data
  $ epr import stations.ndjson.gz          register a fleet
  $ epr export fleet.ndjson.gz               write all of it to a file
  $ epr watch --application demo           see every change as it happens
  $ epr demo                               all of it, on 30,533 real weather stations
${EXIT_CODES}`,
    );
  addServe(program, exit);
  addConfig(program, exit);
  addImport(program, exit);
  addExport(program, exit);
  addFilters(program, exit);
  addWatch(program, exit);
  addRepublish(program, exit);
  addLogin(program, exit);
  addDemo(program, exit);
  addCompletion(program);
  for (const command of program.commands) {
    refuseRepeated(command);
    command
      .showHelpAfterError(`(epr ${command.name()} --help shows what there is)`)
      .helpOption('-h, --help', 'print this help');
  }
  return program.showHelpAfterError('(epr --help shows what there is)');
}
