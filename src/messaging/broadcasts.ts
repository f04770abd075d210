import {
  type ConfigurationUpdate,
  decodeBroadcastConfiguration,
  decodeServiceConfiguration,
  decodeTenantEvent,
} from '../avro/index.js';
import { isExpired } from './expiry.js';
import { configurationSubjects, tenantSubjects } from './subjects.js';

/** What is told of something that another service keeps. Many may come in a row; what is said is done soon after, once. */
export interface ChangeListener<T> {
  changed(change: T): void;
  /** What was told while there was no connection is lost: anything may have changed. */
  missed(): void;
}

/** 17/SCMP. What is absent is not narrowed by it. */
export interface ConfigurationChange {
  correlationId: string;
  tenant?: string;
  application?: string;
  version?: string;
}

/** 21/TLE */
export interface TenantChange {
  correlationId: string;
  kind: 'updated' | 'unregistered';
  tenantId: string;
}

/** One subject that every replica listens to by itself, and nobody answers for. */
export interface Broadcast {
  protocol: 'scmp' | 'tle';
  subject: string;
  /** Throws AvroDecodeError. */
  take(payload: Uint8Array): 'taken' | 'expired';
  /** the same for all broadcasts of one listener */
  missed: () => void;
}

/**
 * @param provider instance name of the service that keeps the configuration
 * @param instance that of this one
 */
export function configurationBroadcasts(
  provider: string,
  instance: string,
  listener: ChangeListener<ConfigurationChange>,
): Broadcast[] {
  const subjects = configurationSubjects(provider, instance);
  const missed = () => listener.missed();
  const listenTo = (subject: string, decode: (payload: Uint8Array) => ConfigurationUpdate): Broadcast => ({
    protocol: 'scmp',
    subject,
    take(payload) {
      const { correlationId, tenantID, appName, appVerName } = decode(payload);
      listener.changed({
        correlationId,
        ...(tenantID === null ? {} : { tenant: tenantID }),
        ...(appName === null ? {} : { application: appName }),
        ...(appVerName === null ? {} : { version: appVerName }),
      });
      return 'taken';
    },
    missed,
  });
  return [
    ...subjects.toAll.map((subject) => listenTo(subject, decodeBroadcastConfiguration)),
    ...subjects.toThis.map((subject) => listenTo(subject, decodeServiceConfiguration)),
  ];
}

/** @param tenantManager instance name of the service that keeps the tenants */
export function tenantBroadcasts(tenantManager: string, listener: ChangeListener<TenantChange>): Broadcast[] {
  const missed = () => listener.missed();
  return (['updated', 'unregistered'] as const).map((kind) => ({
    protocol: 'tle',
    subject: tenantSubjects(tenantManager)[kind],
    take(payload) {
      const event = decodeTenantEvent(payload);
      if (isExpired(event)) return 'expired';
      const { correlationId, tenantId } = event;
      listener.changed({ correlationId, kind, tenantId });
      return 'taken';
    },
    missed,
  }));
}
