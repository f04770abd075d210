import { Counter, Gauge, type Registry } from 'prom-client';

/** Of this room; made once. */
export interface SecurityMetrics {
  tokens: Counter<'result'>;
  /** of the tokens that are known */
  watchTokens(count: () => number): void;
}

export function createSecurityMetrics(registry: Registry): SecurityMetrics {
  const registers = [registry];
  let knownTokens = (): number => 0;
  new Gauge({
    name: 'epr_tokens_known',
    help: 'Access tokens that were verified and are known until they expire, or are not used for long.',
    registers,
    collect() {
      this.set(knownTokens());
    },
  });
  return {
    tokens: new Counter({
      name: 'epr_tokens_total',
      help: 'Access tokens by what came of them: known (verified before), verified, unavailable (the key set can not be read), overloaded, or why they were refused: malformed, algorithm, type, bound, issuer, not-yet, expired, no-expiry, no-subject, signature; none, too-large.',
      labelNames: ['result'],
      registers,
    }),
    watchTokens: (count) => void (knownTokens = count),
  };
}
