import type { Test } from 'tap';
import { startService, type Service } from '../end-to-end/support/service.js';
import type { Target } from './nemesis.js';

export interface RegistersOptions {
  count: number;
  natsUrl: string;
  /** absent: the embedded store; it has one process */
  storageUrl: string | undefined;
  config: string;
  leaseMs: number;
}

/** Processes of the register on one storage. Some have an id of their own, others a new one with each start. */
export function startRegisters(
  t: Test,
  { count, natsUrl, storageUrl, config, leaseMs }: RegistersOptions,
): Promise<Service[]> {
  const start = (_: unknown, i: number) =>
    startService(t, {
      natsUrl,
      config,
      ...(storageUrl === undefined ? {} : { storageUrl }),
      settings: {
        'service.instance.replica.lease': `${leaseMs}ms`,
        ...(i % 2 === 0 ? {} : { 'service.instance.replica.id': `r${i}` }),
        ...(count === 1 ? {} : { 'workers.threads': '1' }),
      },
    });
  return Promise.all(Array.from({ length: count }, start));
}

/** @param said is told what one has said before it is killed */
export function targetsOf(
  services: readonly Service[],
  said: (output: string, register: number) => void,
): Target[] {
  return services.map((service, i) => ({
    name: services.length === 1 ? 'register' : `register ${i + 1}`,
    diesInStart: true,
    pid: () => service.pid(),
    restart: () => service.restart(),
    kill: () => {
      said(service.output(), i + 1);
      return service.kill();
    },
  }));
}
