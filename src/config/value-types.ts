/** The types a setting may have: how its text is read, what an error says is allowed, how it is shown. */
import { resolve } from 'node:path';

/** What was written for a key, before it is understood. Scalars are kept as the text that was written. */
export type Given =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'nothing' }
  /** Something that can't be a value here; `what` is safe to show. */
  | { readonly kind: 'other'; readonly what: string };

export interface ReadContext {
  /** Relative paths are relative to this folder. */
  readonly cwd: string;
}

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly found: string; readonly why?: string };

export interface ValueType<T> {
  /** A word or two for the table of settings. */
  readonly name: string;
  /** Completes "allowed: ". */
  readonly allowed: string;
  /** Text that is valid and not a default. */
  readonly example: string;
  read(given: Given, context: ReadContext): Read<T>;
  show(value: T): string;
}

/** What stands for a secret. */
export const MASK = '********';

/** Hides what signs in: the password of `user:password@`, a lone `token@` (NATS), secret query parameters. */
export function maskUrl(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)([^:]*):([^]*)@/i, `$1$2:${MASK}@`)
    .replace(/^([^:]*):(?!\/\/)([^]*)@/, `$1:${MASK}@`)
    .replace(/^((?:nats|tls):\/\/)?[^:]+@/i, `$1${MASK}@`)
    .replace(
      /([?&](?:[^=&#]*(?:password|secret|token)[^=&#]*|authMechanismProperties)=)[^&#]*/gi,
      `$1${MASK}`,
    );
}

/** Text in quotes with control characters escaped, cut to what fits on a line. */
export function quote(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 120 ? `${quoted.slice(0, 117)}..."` : quoted;
}

interface Scalar<T> {
  readonly name: string;
  readonly allowed: string;
  readonly example: string;
  /** Undefined: not allowed. A string in `why` adds what exactly is wrong. */
  readonly parse: (text: string, context: ReadContext) => T | { readonly why: string } | undefined;
  readonly show?: (value: T) => string;
  /** Hides secrets of a refused text. */
  readonly mask?: (text: string) => string;
}

function scalar<T extends string | number | boolean>(of: Scalar<T>): ValueType<T> {
  return {
    name: of.name,
    allowed: of.allowed,
    example: of.example,
    read(given, context) {
      if (given.kind === 'nothing') return { ok: false, found: 'nothing' };
      if (given.kind === 'list') return { ok: false, found: 'a list' };
      if (given.kind === 'other') return { ok: false, found: given.what };
      const value = of.parse(given.text, context);
      if (value === undefined) return { ok: false, found: quote(of.mask?.(given.text) ?? given.text) };
      if (typeof value === 'object')
        return { ok: false, found: quote(of.mask?.(given.text) ?? given.text), why: value.why };
      return { ok: true, value };
    },
    show: of.show ?? String,
  };
}

export function integer(min: number, max: number, example: string): ValueType<number> {
  return scalar<number>({
    name: `whole number, ${min} to ${max}`,
    allowed: `a whole number from ${min} to ${max}`,
    example,
    parse: (text) => (/^\d{1,15}$/.test(text) && +text >= min && +text <= max ? +text : undefined),
  });
}

export const port: ValueType<number> = {
  ...integer(0, 65535, '18080'),
  name: 'port',
  allowed: 'a port, 0 to 65535 (0: any free one)',
};

export const boolean = scalar<boolean>({
  name: 'boolean',
  allowed: 'true or false',
  example: 'true',
  parse: (text) => (/^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined),
});

export function oneOf<T extends string>(...words: readonly [T, ...T[]]): ValueType<T> {
  return scalar<T>({
    name: words.map((word) => `\`${word}\``).join(', '),
    allowed: `one of ${words.join(', ')}`,
    example: words[words.length - 1] ?? words[0],
    parse: (text) => words.find((word) => word === text),
  });
}

const durationUnits = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, d: 86_400_000 } as const;
const sizeUnits = { GiB: 1024 ** 3, MiB: 1024 ** 2, KiB: 1024, B: 1 } as const;

function inUnits(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, size] = Object.entries(units).find(
    ([, each]) => each === 1 || (value !== 0 && value % each === 0),
  ) ?? ['', 1];
  return `${value / size}${unit}`;
}

function measure(
  units: Readonly<Record<string, number>>,
  bareUnit: number | undefined,
  of: { name: string; what: string; example: string; min: number; max: number },
): ValueType<number> {
  return scalar<number>({
    name: `${of.name}, ${inUnits(of.min, units)} to ${inUnits(of.max, units)}`,
    allowed: `${of.what}, from ${inUnits(of.min, units)} to ${inUnits(of.max, units)}`,
    example: of.example,
    parse(text) {
      const [, digits, unit] = /^(\d{1,15}) ?([A-Za-z]*)$/.exec(text) ?? [];
      const factor = unit === '' ? bareUnit : Object.entries(units).find(([name]) => name === unit)?.[1];
      if (digits === undefined || factor === undefined) return undefined;
      const value = +digits * factor;
      return value >= of.min && value <= of.max ? value : undefined;
    },
    show: (value) => inUnits(value, units),
  });
}

/** Milliseconds. */
export function duration(minMs: number, maxMs: number, example: string): ValueType<number> {
  const what = 'a duration with its unit (ms, s, m, h, d) such as 30s or 5m';
  return measure(durationUnits, undefined, { name: 'duration', what, example, min: minMs, max: maxMs });
}

/** Bytes. */
export function size(minBytes: number, maxBytes: number, example: string): ValueType<number> {
  const what = 'a size in KiB, MiB, GiB or bytes such as 256KiB or 8MiB';
  return measure(sizeUnits, 1, { name: 'size', what, example, min: minBytes, max: maxBytes });
}

export function text(example: string): ValueType<string> {
  return scalar<string>({ name: 'text', allowed: 'text', example, parse: (given) => given || undefined });
}

/** Text that fits `pattern`. */
export function matching(name: string, pattern: RegExp, allowed: string, example: string): ValueType<string> {
  return scalar<string>({
    name,
    allowed,
    example,
    parse: (given) => (pattern.test(given) ? given : undefined),
  });
}

/** A file's path, made absolute. That it can be read is checked when all is known. */
export const file = scalar<string>({
  name: 'file',
  allowed: 'the path of a file',
  example: '/etc/epr/secret',
  parse: (given, { cwd }) => (given === '' ? undefined : resolve(cwd, given)),
});

/** Text that matches `pattern`, shown and refused without its secrets. */
export function url(name: string, pattern: RegExp, allowed: string, example: string): ValueType<string> {
  return scalar<string>({
    name,
    allowed,
    example,
    parse: (given) => (pattern.test(given) ? given : undefined),
    show: maskUrl,
    mask: maskUrl,
  });
}

/** http or https, kept without a trailing slash, so that paths can be appended. */
export const httpUrl = scalar<string>({
  name: 'URL',
  allowed: 'an http:// or https:// URL without a query',
  example: 'https://example.org/epr',
  parse: (given) =>
    /^https?:\/\/[^\s?#]+$/.test(given) && URL.canParse(given) ? given.replace(/\/+$/, '') : undefined,
  show: maskUrl,
  mask: maskUrl,
});

/** The source of a regular expression. */
export const pattern = scalar<string>({
  name: 'pattern',
  allowed: 'a regular expression',
  example: '^[a-z]+$',
  parse(given) {
    if (given === '') return undefined;
    try {
      return new RegExp(given, 'u').source;
    } catch (error) {
      return { why: error instanceof Error ? error.message : String(error) };
    }
  },
});

/** A key whose presence says everything. */
export const empty: ValueType<true> = {
  name: 'empty',
  allowed: 'nothing: leave the value empty',
  example: '',
  read(given) {
    if (given.kind === 'nothing' || (given.kind === 'text' && given.text === ''))
      return { ok: true, value: true };
    const found = given.kind === 'text' ? quote(given.text) : given.kind === 'list' ? 'a list' : given.what;
    return { ok: false, found };
  },
  show: () => '',
};

function splitList(given: string): readonly string[] | undefined {
  if (!given.trimStart().startsWith('[')) return given.split(',').map((item) => item.trim());
  try {
    const parsed: unknown = JSON.parse(given);
    return Array.isArray(parsed) && parsed.every((item) => typeof item === 'string') ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** A list: a YAML sequence, or text separated by commas, or a JSON array of text. */
export function list(of: ValueType<string>): ValueType<string[]> {
  return {
    name: `list of ${of.name}`,
    allowed: `a list (a YAML sequence, comma-separated or a JSON array) of ${of.allowed}`,
    example: of.example,
    read(given, context) {
      if (given.kind === 'nothing') return { ok: false, found: 'nothing' };
      if (given.kind === 'other') return { ok: false, found: given.what };
      const items = given.kind === 'list' ? given.items : splitList(given.text);
      if (!items) return { ok: false, found: 'a text that begins like a JSON array of text and is none' };
      const values: string[] = [];
      for (const item of items) {
        const read = of.read({ kind: 'text', text: item }, context);
        if (!read.ok) return read;
        values.push(read.value);
      }
      return { ok: true, value: values };
    },
    show: (values) => JSON.stringify(values.map((value) => of.show(value))),
  };
}
