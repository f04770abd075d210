import type { Command } from 'commander';
import { parseUrl } from '../options.js';
import { EXIT_CODES, retryOption, tokenFileOption, tokenOption, urlOption, type Exit } from './shared.js';

export function addLogin(program: Command, exit: Exit): void {
  program
    .command('login')
    .summary('sign in, for the commands that follow')
    .description(
      `Signs you in to a register that asks who is there: shows an address and a code; you open the one in a browser, on any
device, and enter the other. What it gets is kept in a file that only you can read, for this address of the register only,
and renewed by the commands that use it. A login of this address that was there before is ended first.

For programs there is EPR_TOKEN, or EPR_TOKEN_FILE, which names a file with a token that is read again when it changes.`,
    )
    .addOption(urlOption())
    .option('--tenant <name>', 'yours, where the register has several')
    .option('--client-id <id>', 'another client of the auth server than the register names')
    .option('--issuer <address>', 'the auth server, instead of asking the register', parseUrl)
    .option(
      '--allow-http',
      'send tokens without TLS to other machines, where whoever is on the way can read them',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ epr login --url https://register.example.com/epr
  $ epr login --url https://register.example.com/epr --tenant acme
  $ EPR_TOKEN_FILE=/run/secrets/token epr export fleet.ndjson
${EXIT_CODES}`,
    )
    .action(async (options: object) => {
      const { login } = await import('../login/index.js');
      exit(await login(options as Parameters<typeof login>[0]));
    });
  program
    .command('logout')
    .summary('end what login began')
    .description(
      'Ends your session at the auth server, as far as it is of the command line, and forgets it here. Answers 1 where the auth server could not end it.',
    )
    .addOption(urlOption())
    .addHelpText('after', EXIT_CODES)
    .action(async (options: object) => {
      const { logout } = await import('../login/index.js');
      exit(await logout(options as Parameters<typeof logout>[0]));
    });
  program
    .command('whoami')
    .summary('see who you are to a register')
    .description('Says whose token is sent to a register, until when it lasts, and whether it is taken.')
    .addOption(urlOption())
    .addOption(tokenOption())
    .addOption(tokenFileOption())
    .addOption(retryOption())
    .addHelpText('after', EXIT_CODES)
    .action(async (options: object) => {
      const { whoami } = await import('../login/index.js');
      exit(await whoami(options as Parameters<typeof whoami>[0]));
    });
}
