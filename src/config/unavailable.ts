/**
 * What the contract names and this version can't do yet. Such a setting is refused, never ignored: an
 * installation that believes itself protected must not run open. A part that gets built deletes its line.
 */
export interface Unavailable {
  readonly key: string;
  /** True when the value asks for what is missing. */
  readonly asks: (value: unknown) => boolean;
  readonly what: string;
  /** Completes "allowed: ". */
  readonly allowed: string;
}

const isTrue = (value: unknown): boolean => value === true;

export const unavailable: readonly Unavailable[] = [
  {
    key: 'kaa.security.authorization.enabled',
    asks: isTrue,
    what: 'authorization',
    allowed: 'false (restrict who reaches server.host instead)',
  },
  {
    key: 'kaa.tenant-manager.enabled',
    asks: isTrue,
    what: 'the tenant manager',
    allowed: 'false',
  },
];
