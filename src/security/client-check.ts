import { each } from '../model/each.js';
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
  const checkAll = (all: readonly Tenant[]): void => {
    // what is refused is told by who asks; an auth server that is away is told by what needs it
    void each(all.slice(0, MOST_CHECKED), AT_ONCE, (tenant) => tokens.of(tenant).catch(() => undefined));
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
