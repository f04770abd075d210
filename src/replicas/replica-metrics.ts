import { Gauge, type Registry } from 'prom-client';

export function watchReplicas(
  registry: Registry,
  state: { rows: () => readonly { live: boolean }[]; leaseAgeMs: () => number },
): void {
  const registers = [registry];
  new Gauge({
    name: 'epr_replicas',
    help: 'Replicas on this storage, as this one sees them: live, or dead and not forgotten yet.',
    labelNames: ['state'],
    registers,
    collect() {
      const rows = state.rows();
      const live = rows.filter((row) => row.live).length;
      this.set({ state: 'live' }, live);
      this.set({ state: 'dead' }, rows.length - live);
    },
  });
  new Gauge({
    name: 'epr_replica_lease_age_seconds',
    help: 'How long ago this replica said that it is alive. At `service.instance.replica.lease` it stops writing.',
    registers,
    collect() {
      this.set(state.leaseAgeMs() / 1000);
    },
  });
}
