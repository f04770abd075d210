/** From flags, environment and file to a checked configuration, or to every reason why not. */
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { buildConfig } from './build.js';
import { checkTogether, natsSignIn } from './checks.js';
import { findNotes } from './notes.js';
import { settle, type Settlement } from './settle.js';
import { type LoadInput, readFileSource, readText } from './sources.js';
import type { Config, ConfigEntry, ConfigProblem } from './types.js';

export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      /** Every setting in force, in the order of the table. */
      readonly entries: ConfigEntry[];
      /** Sentences worth saying at start. */
      readonly notes: string[];
    }
  | { readonly ok: false; readonly problems: ConfigProblem[] };

/**
 * Reads the configuration: flag, then environment, then file, then default, for each key. Everything given is
 * checked, also what is not in force, and all problems are returned together. Reads files, synchronously: meant for
 * start and SIGHUP. Never throws for what a user wrote.
 */
export function loadConfig(input: LoadInput): LoadedConfig {
  const file = readFileSource(input);
  const settlement = settle(input, file, {
    isTty: input.isTty,
    processors: availableParallelism(),
    replicaId: input.replicaId ?? randomUUID(),
  });
  const problems = [...settlement.problems];
  // What can't be read has fallen back to a default; checking that against the rest would only confuse.
  const unreadable = new Set(problems.map(({ key }) => key));
  problems.push(...checkTogether(settlement).filter(({ key }) => !unreadable.has(key)));
  if (problems.length > 0) return { ok: false, problems };

  return {
    ok: true,
    config: buildConfig(settlement, natsSignIn(settlement), clientSecrets(settlement)),
    entries: [...settlement.settled.values()].map(({ key, value, shown, source, where }) => ({
      key,
      value,
      shown,
      source,
      ...(where === undefined ? {} : { where }),
    })),
    notes: findNotes(settlement, input, file.path),
  };
}

function clientSecrets({ settled, names }: Settlement): Map<string, string> {
  const secrets = new Map<string, string>();
  for (const tenant of names.get('kaa.tenants') ?? []) {
    const path = settled.get(`kaa.tenants.${tenant}.client-secret-file`)?.value;
    const read = typeof path === 'string' ? readText(path) : undefined;
    if (read && 'text' in read) secrets.set(tenant, read.text.replace(/\r?\n$/, ''));
  }
  return secrets;
}
