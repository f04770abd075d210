import type { Command } from 'commander';
import { EXIT_CODES, tokenFileOption, tokenOption, urlOption, type Exit } from './shared.js';

export function addWatch(program: Command, exit: Exit): void {
  program
    .command('watch')
    .summary('see changes as they happen')
    .description('Prints the live events of a register, one a line, until Ctrl-C.')
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(tokenFileOption())
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
      const { watch } = await import('../watch/index.js');
      exit(await watch(options as Parameters<typeof watch>[0]));
    });
}

export function addDemo(program: Command, exit: Exit): void {
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
      const { demo } = await import('../demo/index.js');
      exit(await demo(options));
    });
}
