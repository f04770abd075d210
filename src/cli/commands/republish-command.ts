import { Option, type Command } from 'commander';
import { parseSince } from '../options.js';
import { EXIT_CODES, retryOption, tokenFileOption, tokenOption, urlOption, type Exit } from './shared.js';

export function addRepublish(program: Command, exit: Exit): void {
  program
    .command('republish')
    .summary('send events to NATS again that it has lost')
    .description(
      `Has the register publish the events of all changes since a time once more: the same subjects, bytes and
Nats-Msg-Id, those of one endpoint in their order. JetStream drops those that it still knows; one that belongs
behind an older one that it took again is sent until it has forgotten it, for its duplicate_window at the most. Whoever
has seen others before gets them again. New events wait until it is done; callers of the register do not.

Sent are events that the register keeps (live-events.recent-age, live-events.recent-size; with MongoDB those since
its start). What is missing is said, and the exit code is 3 then.`,
    )
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(tokenFileOption())
    .addOption(
      new Option(
        '--since <time>',
        'of changes since then: 2026-11-22T10:00:00Z, or an age such as 90m, 6h, 1d',
      )
        .argParser(parseSince)
        .conflicts(['cancel', 'status']),
    )
    .addOption(new Option('--status', 'see how the present or the last one goes').conflicts('cancel'))
    .option('--cancel', 'stop the one that is under way')
    .option('--no-wait', 'do not wait for the end')
    .addOption(retryOption())
    .addHelpText(
      'after',
      `
Examples:
  $ epr republish --since 2026-11-22T10:00:00Z
  $ epr republish --since 30m --no-wait
  $ epr republish --status
${EXIT_CODES}
Of this command: 3 events since then may be missing among those that were sent. Ctrl-C ends the waiting, not the sending.`,
    )
    .action(async (options: object, command: Command) => {
      const { republish } = await import('../republish/index.js');
      const flags = options as Parameters<typeof republish>[0];
      if (flags.since === undefined && flags.status !== true && flags.cancel !== true)
        command.error(
          'error: --since says from when on events are sent again; --status and --cancel go without.',
        );
      exit(await republish(flags));
    });
}
