import { Counter, Gauge, type Registry } from 'prom-client';

/** Of tenants that come from the tenant manager; made once. */
export interface TenantMetrics {
  reads: Counter<'result'>;
}

export function createTenantMetrics(
  registry: Registry,
  now: () => { tenants: number; ageSeconds: number | undefined },
): TenantMetrics {
  const registers = [registry];
  new Gauge({
    name: 'epr_tenants',
    help: 'Tenants whose tokens are taken, as last read from the tenant manager, and the system tenant.',
    registers,
    collect() {
      this.set(now().tenants);
    },
  });
  new Gauge({
    name: 'epr_tenants_age_seconds',
    help: 'How long ago the tenant manager last gave the tenants to this process; NaN: never.',
    registers,
    collect() {
      this.set(now().ageSeconds ?? Number.NaN);
    },
  });
  return {
    reads: new Counter({
      name: 'epr_tenant_reads_total',
      help: 'Readings of the tenants, by what came of them: ok, refused, malformed, unavailable.',
      labelNames: ['result'],
      registers,
    }),
  };
}
