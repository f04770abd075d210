import { Option } from 'commander';
import { parseDuration, parseUrl } from '../options.js';

/** Tells the exit code of the command that ran. */
export type Exit = (code: number) => void;

export const EXIT_CODES = `
Exit codes: 0 done; 1 could not be done; 2 the command line or the configuration is wrong;
3 done, but some items failed (import); 130 stopped by Ctrl-C before it was done.`;

export const urlOption = (): Option =>
  new Option('--url <address>', 'the register')
    .env('EPR_URL')
    .default(new URL('http://127.0.0.1:8080'), 'http://127.0.0.1:8080')
    .argParser(parseUrl);
export const tokenOption = (): Option =>
  new Option(
    '--token <token>',
    'bearer token, where the register asks for one; others on this machine can see it here, but not in the variable',
  ).env('EPR_TOKEN');
export const tokenFileOption = (): Option =>
  new Option('--token-file <file>', 'a file with the token, read again when it changes').env(
    'EPR_TOKEN_FILE',
  );

export const retryOption = (): Option =>
  new Option('--retry-for <duration>', 'how long to try when the register does not answer')
    .argParser(parseDuration)
    .default(60_000, '60s');
