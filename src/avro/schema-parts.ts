import type { AvroSchema, RecordSchema } from './codec.js';

export type Field = RecordSchema['fields'][number];

export const TEXT_OR_NULL: AvroSchema = ['null', 'string'];
export const TIMEOUT: Field = { name: 'timeout', type: 'long', default: 0 };
/** Of every message but those of filters. */
export const HEAD: readonly Field[] = [
  { name: 'correlationId', type: 'string' },
  { name: 'timestamp', type: 'long' },
  TIMEOUT,
];

export const RELATIONS = 'org.kaaproject.ipc.eprmp.gen.v1';

/** What {@link HEAD} says. */
export interface MessageHead {
  correlationId: string;
  /** Unix ms */
  timestamp: number;
  /** ms after `timestamp`; 0: never */
  timeout: number;
}

export function texts(...names: string[]): Field[] {
  return names.map((name) => ({ name, type: 'string' }));
}

export function record(namespace: string, name: string, fields: readonly Field[]): RecordSchema {
  return { type: 'record', name, namespace, fields };
}
