import type { ServiceTokens } from './service-tokens.js';
import type { Tenant } from './tenants.js';

export interface ClientCheck {
  /** Asks for a token of each tenant that has a secret, in the background. Tokens that last are not asked for again. */
  run(): void;
  stop(): void;
}

/** Tenants that are looked at; of more, faults are seen at their first use. */
const MOST_CHECKED = 100;
const AT_ONCE = 4;
const AGAIN_MS = 60_000;

/** So that a wrong client is told at start and not at its first use, and a mended one before its next. */
export function createClientCheck({
  tenants,
  tokens,
}: {
  tenants: () => readonly Tenant[];
  tokens: Pick<ServiceTokens, 'of' | 'refusals'>;
}): ClientCheck {
  const check = async (some: IterableIterator<Tenant>): Promise<void> => {
    // what is refused is told by who asks; an auth server that is away is told by what needs it
    for (const tenant of some) await tokens.of(tenant).catch(() => undefined);
  };
  const checkAll = (all: readonly Tenant[]): void => {
    const some = all.slice(0, MOST_CHECKED).values();
    for (let n = 0; n < AT_ONCE; n++) void check(some);
  };
  const again = setInterval(
    () => checkAll(tenants().filter(({ name }) => tokens.refusals().has(name))),
    AGAIN_MS,
  ).unref();
  return {
    run: () => checkAll(tenants().filter(({ clientSecret }) => clientSecret !== undefined)),
    stop: () => clearInterval(again),
  };
}
