/** The shape of a row of the table of settings, and the names that follow from its key. */
import type { Config, ConfigField, FieldValue } from './types.js';
import type { ValueType } from './value-types.js';

/** What a default may depend on. */
export interface DefaultContext {
  readonly isTty: boolean;
  readonly processors: number;
  readonly replicaId: string;
  /** The value in force of a row that stands earlier in the table. */
  readonly of: (key: string) => unknown;
}

export interface Setting {
  /** Dotted; `<name>` stands for a name that users choose. */
  readonly key: string;
  /** Where its value goes in `Config`; rows with names in the key are put in place by `named-settings.ts`. */
  readonly field?: string;
  readonly type: ValueType<unknown>;
  /** The default, or how to find it; undefined: not set. */
  readonly default?: unknown;
  /** The default in words, where it is found rather than given. */
  readonly defaultText?: string;
  /** What it does in production. */
  readonly doc: string;
  /** Masked wherever it is shown. */
  readonly secret: boolean;
  /** Taken up on SIGHUP; the rest needs a restart. */
  readonly live: boolean;
  /** May be read from a file named by `<VARIABLE>_FILE`. */
  readonly fromFile: boolean;
  /** Variables besides that of the rule. */
  readonly aliases: readonly string[];
  /** The setting that must be true for this one to have an effect. */
  readonly needs?: string;
}

interface Row<T> {
  readonly type: ValueType<T>;
  readonly default?: T | ((context: DefaultContext) => T);
  readonly defaultText?: string;
  readonly doc: string;
  readonly secret?: true;
  readonly live?: true;
  readonly fromFile?: boolean;
  readonly aliases?: readonly string[];
  readonly needs?: string;
}

function complete<T>(key: string, row: Row<T>): Setting {
  return {
    ...row,
    key,
    // A row only ever shows what its own type has read.
    type: row.type,
    secret: row.secret ?? false,
    live: row.live ?? false,
    fromFile: row.fromFile ?? row.secret ?? false,
    aliases: row.aliases ?? [],
  };
}

/** A row whose value goes to `field` of the configuration; the compiler checks that the types agree. */
export function setting<F extends ConfigField>(
  key: string,
  field: F,
  row: Row<FieldValue<Omit<Config, 'applications'>, F>>,
): Setting {
  return { ...complete(key, row), field };
}

/** A row with names that users choose in its key. */
export function namedSetting<T>(key: string, row: Row<T>): Setting {
  return complete(key, row);
}

/** `kaa.tekton.url` -> `KAA_TEKTON_URL`. */
export function environmentName(key: string): string {
  return key.toUpperCase().replace(/[.-]/g, '_');
}

/** Every variable that may hold the setting: that of the rule first. */
export function environmentNames(row: Setting, key = row.key): string[] {
  return [environmentName(key), ...row.aliases];
}
