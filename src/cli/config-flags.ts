import { loadConfig, type Config, type ConfigEntry } from '../config/index.js';
import { CliFailure, EXIT } from './failure.js';

/** The flags of `serve` and `config`. */
export interface ConfigFlags {
  config?: string;
  set?: Record<string, string>;
  port?: number;
  data?: string;
}

export interface Settings {
  config: Config;
  entries: ConfigEntry[];
  notes: string[];
}

/**
 * Flags, environment and file to settings; every fault in them ends the command with exit code 2.
 * `replicaId`: that of the running service, when its configuration is read again.
 */
export function loadSettings(flags: ConfigFlags, replicaId?: string): Settings {
  const set = { ...flags.set };
  addSugar(set, 'server.port', '--port', flags.port === undefined ? undefined : String(flags.port));
  addSugar(set, 'storage.url', '--data', flags.data === undefined ? undefined : `file:${flags.data}`);
  const loaded = loadConfig({
    argv: { set, ...(flags.config === undefined ? {} : { config: flags.config }) },
    env: process.env,
    cwd: process.cwd(),
    isTty: process.stdout.isTTY,
    ...(replicaId === undefined ? {} : { replicaId }),
  });
  if (loaded.ok) return loaded;
  const messages = loaded.problems.map(({ message }) => message);
  const text =
    messages.length === 1
      ? messages[0]!
      : `${messages.length} settings are wrong:\n  ${messages.join('\n  ')}`;
  throw new CliFailure(`${text}`, EXIT.usage);
}

function addSugar(set: Record<string, string>, key: string, flag: string, value: string | undefined): void {
  if (value === undefined) return;
  if (set[key] !== undefined)
    throw new CliFailure(
      `${flag} and --set ${key}=${set[key]} say the same thing twice; give one of them.`,
      EXIT.usage,
    );
  set[key] = value;
}
