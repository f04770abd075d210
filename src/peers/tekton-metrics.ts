import { Counter, Gauge, type Registry } from 'prom-client';

export interface TektonMetrics {
  reads: Counter<'scope' | 'result'>;
}

export function createTektonMetrics(
  registry: Registry,
  now: () => { applications: number; faulty: number; ageSeconds: number | undefined },
): TektonMetrics {
  const registers = [registry];
  new Gauge({
    name: 'epr_tekton_applications',
    help: 'Applications that take new endpoints, as last read from Tekton.',
    registers,
    collect() {
      this.set(now().applications);
    },
  });
  new Gauge({
    name: 'epr_tekton_faulty',
    help: 'Parts of the last whole configuration of Tekton (applications, versions, restricted keys) that are not taken, for something is wrong with them.',
    registers,
    collect() {
      this.set(now().faulty);
    },
  });
  new Gauge({
    name: 'epr_tekton_configuration_age_seconds',
    help: 'How long ago Tekton last gave the whole configuration, to this process or the one before; NaN: never.',
    registers,
    collect() {
      this.set(now().ageSeconds ?? Number.NaN);
    },
  });
  return {
    reads: new Counter({
      name: 'epr_tekton_reads_total',
      help: 'Readings of the configuration, by what was asked for (all, application, version) and what came of it: ok, refused, malformed, unavailable.',
      labelNames: ['scope', 'result'],
      registers,
    }),
  };
}
