import type { NatsConnection } from 'nats';
import type { Test } from 'tap';
import { encodeConnectivity } from '../../src/avro/index.js';
import type { Command } from '../../src/model/command.js';
import type { Outcome } from '../../src/model/outcome.js';
import { headOf } from '../../src/model/record.js';
import { type Running, start, type StartOptions } from '../register/support.js';
import { catalogue } from './support.js';

export const communicationService = 'kpc';
export const connectedSubject = 'kaa.v1.events.kpc.endpoint.connectivity.connected';
export const disconnectedSubject = 'kaa.v1.events.kpc.endpoint.connectivity.disconnected';

/** A ConnectedEvent, or a DisconnectedEvent, which has the same fields. */
export function connected(
  endpoints: Record<string, string>,
  more: { timestamp?: number; timeout?: number; correlationId?: string } = {},
) {
  const event = {
    correlationId: 'c',
    timestamp: Date.now(),
    timeout: 0,
    endpoints,
    originatorReplicaId: 'k',
    ...more,
  };
  return encodeConnectivity(event);
}

export async function makeStream(connection: NatsConnection) {
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'KPC', subjects: ['kaa.v1.events.kpc.>'] });
  const state = () => manager.consumers.info('KPC', 'epr-connectivity');
  const settled = async () => {
    const info = await state().catch(() => undefined);
    return info !== undefined && info.num_pending === 0 && info.num_ack_pending === 0;
  };
  return { manager, state, settled };
}

/** A register with endpoints of the version `app-v1` since that time. */
export async function startRegister(
  t: Test,
  endpointIds: readonly string[],
  timestampMs: number,
  options: StartOptions = {},
): Promise<Running> {
  const running = await start(t, options);
  for (const endpointId of endpointIds) {
    const version = catalogue.version('app-v1')!;
    const wish = { type: 'register' as const, version, metadataText: '{}', tokenHash: endpointId };
    const command = { ...wish, endpointId, correlationId: 'c', timestampMs };
    t.equal((await running.register.endpoints.submit(command)).kind, 'applied');
  }
  return running;
}

export async function versionOf({ register }: Running, endpointId: string): Promise<string> {
  const answer = await register.endpoints.get({ correlationId: 'c' }, endpointId);
  return answer.kind === 'ok' ? headOf(answer.value).version : answer.code;
}

/** @param stuck an endpoint for which the register has no room */
export function submitTo({ register }: Running, stuck?: string) {
  return (commands: Command[]): Promise<Outcome[]> =>
    Promise.all(
      commands.map(async (command): Promise<Outcome> => {
        if (command.endpointId === stuck) return { kind: 'retry', code: 'overloaded', message: 'full' };
        return register.endpoints.submit(command);
      }),
    );
}
