import { formatConfig } from '../config/index.js';
import { loadSettings, type ConfigFlags } from './config-flags.js';
import { EXIT } from './failure.js';

/** `epr config`. Notes go to standard error, so that the output can be read by programs. */
export function showConfig(flags: ConfigFlags & { json?: boolean }): number {
  const { entries, notes } = loadSettings(flags);
  process.stdout.write(formatConfig(entries, { json: flags.json === true }));
  for (const note of notes) process.stderr.write(`epr: ${note}\n`);
  return EXIT.ok;
}
