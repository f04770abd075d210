import type { Command } from 'commander';
import type { ConfigFlags } from '../config-flags.js';
import { collectSetting, parsePort } from '../options.js';
import { EXIT_CODES, type Exit } from './shared.js';

export function addServe(program: Command, exit: Exit): void {
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
      const { serve } = await import('../serve.js');
      exit(await serve(options));
    });
}

export function addConfig(program: Command, exit: Exit): void {
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
      const { showConfig } = await import('../show-config.js');
      exit(showConfig(options));
    });
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
