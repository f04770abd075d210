import { Command, CommanderError, Option } from 'commander';
import type { ConfigFlags } from './config-flags.js';
import { CliFailure, EXIT, messageOf } from './failure.js';
import { collectSetting, parseCount, parseDuration, parsePort, parseRate, parseUrl } from './options.js';
import { ownVersion } from './version.js';

const EXIT_CODES = `
Exit codes: 0 done; 1 could not be done; 2 the command line or the configuration is wrong;
3 done, but some items failed (import); 130 stopped by Ctrl-C.`;

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

function createProgram(exit: (code: number) => void): Command {
  const program = new Command('epr')
    .description(
      'The endpoint register: devices, their metadata, and saved filters that follow every change.',
    )
    .version(ownVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'epr: ')) })
    .addHelpText(
      'after',
      `
Examples:
  $ epr serve                              the register on http://127.0.0.1:8080, data in ./data
  $ epr import stations.ndjson.gz          register a fleet
  $ epr watch --application demo           see every change as it happens
  $ epr demo                               all of it, on 30,533 real weather stations
${EXIT_CODES}`,
    );
  addServe(program, exit);
  addConfig(program, exit);
  addImport(program, exit);
  addWatch(program, exit);
  addDemo(program, exit);
  for (const command of program.commands) {
    command
      .showHelpAfterError(`(epr ${command.name()} --help shows what there is)`)
      .helpOption('-h, --help', 'print this help');
  }
  return program.showHelpAfterError('(epr --help shows what there is)');
}

function withConfigOptions(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'configuration file (default: APP_CONFIG_PATH, or config/epr.yml if it is there)',
    )
    .option(
      '-s, --set <key=value>',
      'one setting, over environment and file; may be repeated',
      collectSetting,
    )
    .option('-p, --port <port>', 'the same as --set server.port=<port>', parsePort)
    .option('-d, --data <folder>', 'the same as --set storage.url=file:<folder>');
}

function addServe(program: Command, exit: (code: number) => void): void {
  withConfigOptions(program.command('serve'))
    .summary('run the register')
    .description('Runs the register until it is told to stop.')
    .addHelpText(
      'after',
      `
Signals: SIGTERM and SIGINT stop it gracefully (a second one at once); SIGHUP reads the configuration again
where there is no terminal. Started in a terminal, it stops gracefully when that is closed, which is a SIGHUP too.

Examples:
  $ epr serve
  $ epr serve --port 9000 --data /var/lib/epr
  $ epr serve --set storage.url=mongodb://db:27017/epr --set nats.urls=nats://nats:4222
  $ epr serve --config /etc/epr.yml --set logging.level=debug
${EXIT_CODES}`,
    )
    .action(async (options: ConfigFlags) => {
      const { serve } = await import('./serve.js');
      exit(await serve(options));
    });
}

function addConfig(program: Command, exit: (code: number) => void): void {
  withConfigOptions(program.command('config'))
    .summary('print the settings in force')
    .description(
      'Prints every setting in force and where it came from, secrets masked, or what is wrong with them.',
    )
    .option('--json', 'as JSON, for machines')
    .addHelpText(
      'after',
      `
Examples:
  $ epr config
  $ KAA_TEKTON_URL=http://tekton:8080 epr config
  $ epr config --config /etc/epr.yml --json
${EXIT_CODES}`,
    )
    .action(async (options: ConfigFlags & { json?: boolean }) => {
      const { showConfig } = await import('./show-config.js');
      exit(showConfig(options));
    });
}

const urlOption = (): Option =>
  new Option('--url <address>', 'the register')
    .env('EPR_URL')
    .default(new URL('http://127.0.0.1:8080'), 'http://127.0.0.1:8080')
    .argParser(parseUrl);
const tokenOption = (): Option =>
  new Option('--token <token>', 'bearer token, where the register asks for one').env('EPR_TOKEN');

function addImport(program: Command, exit: (code: number) => void): void {
  program
    .command('import')
    .argument('<file>', 'NDJSON, plain or gzip; - is standard input')
    .summary('register a fleet, or update metadata, from a file')
    .description(
      `Brings the lines of a file to a running register. A line is a registration, as POST /endpoints takes it,
  {"appVersion":{"name":"demo-v1"},"endpointId":"kettle-1","metadata":{"city":"Kyiv"}}
or a metadata update, as POST /endpoints/metadata/batch takes it,
  {"endpointId":"kettle-1","set":{"temp":4},"unset":["old"]}
Endpoints that are registered already are left as they are. An interrupted import goes on where it was when the same
command runs again.`,
    )
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(
      new Option(
        '--as <kind>',
        'what every line is; else each line says it by having appVersion or not',
      ).choices(['registrations', 'metadata']),
    )
    .option('--dry-run', 'check every line here, send nothing, say what would be done')
    .option('--restart', 'begin at the first line, whatever an interrupted import did')
    .option('--rate <n/s>', 'at most so many lines a second', parseRate)
    .option('--concurrency <n>', 'thousands of lines on the way at once', parseCount, 4)
    .addOption(
      new Option('--retry-for <duration>', 'how long to try when the register does not answer')
        .argParser(parseDuration)
        .default(60_000, '60s'),
    )
    .option('--failures <file>', 'where failed lines go, with the reason (default: <file>.failures.ndjson)')
    .option('--tokens <file>', 'keep the tokens that the register makes; they are told only once')
    .addHelpText(
      'after',
      `
Examples:
  $ epr import examples/weather/stations.ndjson.gz
  $ epr import --dry-run fleet.ndjson
  $ zcat updates.ndjson.gz | epr import - --as metadata --rate 500/s
  $ epr import fleet.ndjson --url https://register.example.com/epr --token "$TOKEN" --tokens tokens.ndjson
${EXIT_CODES}`,
    )
    .action(async (file: string, options: object) => {
      const { importFile } = await import('./import/index.js');
      exit(await importFile(file, options as Parameters<typeof importFile>[1]));
    });
}

function addWatch(program: Command, exit: (code: number) => void): void {
  program
    .command('watch')
    .summary('see changes as they happen')
    .description('Prints the live events of a register, one a line, until Ctrl-C.')
    .addOption(urlOption())
    .addOption(tokenOption())
    .option('--application <name>', 'only of this application')
    .option('--endpoint <id>', 'only of this endpoint')
    .option('--filter <id>', 'only of this filter')
    .option('--type <kind>', 'only of this kind, such as metadata-updated or ep-matched')
    .option('--json', 'each event as one line of JSON, as the register sends it')
    .addHelpText(
      'after',
      `
Examples:
  $ epr watch
  $ epr watch --application weather --type ep-matched
  $ epr watch --endpoint kettle-1 --json | jq .
${EXIT_CODES}`,
    )
    .action(async (options: object) => {
      const { watch } = await import('./watch/index.js');
      exit(await watch(options as Parameters<typeof watch>[0]));
    });
}

function addDemo(program: Command, exit: (code: number) => void): void {
  program
    .command('demo')
    .summary('the whole of it, on real weather stations')
    .description(
      `Starts a register in a temporary folder, registers 30,533 weather stations, saves 24 filters, replays 30,942
observations, and shows what the filters make of them. Cleans up after itself.`,
    )
    .option('--keep', 'leave the register running at the end, to try it out')
    .option('--storage <url>', 'another store than the embedded one: mongodb://... (its data stays there)')
    .option('--nats <urls>', 'publish the events to NATS as well: nats://host:4222')
    .addHelpText(
      'after',
      `
Examples:
  $ epr demo
  $ epr demo --keep
  $ epr demo --storage mongodb://127.0.0.1:27017/epr-demo --nats nats://127.0.0.1:4222
${EXIT_CODES}`,
    )
    .action(async (options: object) => {
      const { demo } = await import('./demo/index.js');
      exit(await demo(options));
    });
}
