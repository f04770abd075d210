import { AvroReader } from './reader.js';
import { AvroWriter } from './writer.js';

/** The part of Avro's schema language that the contract uses. The only unions are of null and one other type. */
export type AvroSchema =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'string'
  | 'bytes'
  | readonly ['null', AvroSchema]
  | { type: 'array'; items: AvroSchema }
  | { type: 'map'; values: AvroSchema }
  | RecordSchema;

export interface RecordSchema {
  type: 'record';
  name: string;
  namespace?: string;
  fields: readonly { name: string; type: AvroSchema; default?: unknown }[];
}

/** Values in JavaScript: records and maps are objects (decoded ones without a prototype), bytes are views. */
export interface Codec<T> {
  schema: RecordSchema;
  /** O(size). Throws a TypeError for a missing field, for that is a fault of ours. */
  encode(value: T): Buffer;
  /** O(size). Throws AvroDecodeError, also for bytes left over. */
  decode(bytes: Uint8Array): T;
}

type Write = (out: AvroWriter, value: never) => void;
type Read = (from: AvroReader) => unknown;

/**
 * Raw binary Avro of a record, both ways. Of our own, because a decoder for messages of others must not loop over a
 * count that the bytes can't hold, nor lose a map key such as `__proto__`; the usual library does both.
 */
export function createCodec<T extends object>(schema: RecordSchema): Codec<T> {
  const write = writerOf(schema) as (out: AvroWriter, value: T) => void;
  const read = readerOf(schema) as (from: AvroReader) => T;
  const out = new AvroWriter();
  return {
    schema,
    encode(value) {
      out.reset();
      write(out, value);
      return out.take();
    },
    decode(bytes) {
      const from = new AvroReader(bytes);
      const value = read(from);
      from.place = schema.name;
      from.end();
      return value;
    },
  };
}

function writerOf(schema: AvroSchema): Write {
  if (typeof schema === 'string') return PRIMITIVES[schema].write;
  if ('type' in schema) {
    switch (schema.type) {
      case 'record':
        return recordWriter(schema);
      case 'array':
        return arrayWriter(writerOf(schema.items) as (out: AvroWriter, item: unknown) => void);
      case 'map':
        return mapWriter(writerOf(schema.values) as (out: AvroWriter, item: unknown) => void);
    }
  }
  const write = writerOf(schema[1]) as (out: AvroWriter, value: unknown) => void;
  return (out: AvroWriter, value: unknown) => {
    out.long(value === null ? 0 : 1);
    if (value !== null) write(out, value);
  };
}

function recordWriter({ fields, name }: RecordSchema): Write {
  const names = fields.map((field) => field.name);
  const writers = fields.map((field) => writerOf(field.type) as (out: AvroWriter, value: unknown) => void);
  return (out: AvroWriter, record: Record<string, unknown>) => {
    for (let i = 0; i < names.length; i++) {
      const value = record[names[i]!];
      if (value === undefined) throw new TypeError(`${name} needs the field ${names[i]}.`);
      writers[i]!(out, value);
    }
  };
}

function arrayWriter(write: (out: AvroWriter, item: unknown) => void): Write {
  return (out: AvroWriter, items: readonly unknown[]) => {
    if (items.length > 0) out.long(items.length);
    for (const item of items) write(out, item);
    out.long(0);
  };
}

function mapWriter(write: (out: AvroWriter, item: unknown) => void): Write {
  return (out: AvroWriter, map: Record<string, unknown>) => {
    const keys = Object.keys(map);
    if (keys.length > 0) out.long(keys.length);
    for (const key of keys) {
      out.string(key);
      write(out, map[key]);
    }
    out.long(0);
  };
}

function readerOf(schema: AvroSchema): Read {
  if (typeof schema === 'string') return PRIMITIVES[schema].read;
  if ('type' in schema) {
    switch (schema.type) {
      case 'record':
        return recordReader(schema);
      case 'array':
        return arrayReader(readerOf(schema.items));
      case 'map':
        return mapReader(readerOf(schema.values));
    }
  }
  const read = readerOf(schema[1]);
  return (from) => {
    const branch = from.long();
    if (branch !== 0 && branch !== 1) from.fail(`branch ${branch} of a union of two`);
    return branch === 0 ? null : read(from);
  };
}

function recordReader({ name, fields }: RecordSchema): Read {
  const parts = fields.map((field) => ({
    name: field.name,
    place: `${name}.${field.name}`,
    read: readerOf(field.type),
  }));
  return (from) => {
    const record = emptyObject();
    for (const part of parts) {
      from.place = part.place;
      record[part.name] = part.read(from);
    }
    return record;
  };
}

function arrayReader(read: Read): Read {
  return (from) => {
    const items: unknown[] = [];
    for (let count = from.blockCount(); count > 0; count = from.blockCount()) {
      for (let i = 0; i < count; i++) items.push(read(from));
    }
    return items;
  };
}

function mapReader(read: Read): Read {
  return (from) => {
    const map = emptyObject();
    for (let count = from.blockCount(); count > 0; count = from.blockCount()) {
      for (let i = 0; i < count; i++) {
        const key = from.string();
        map[key] = read(from);
      }
    }
    return map;
  };
}

function emptyObject(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

const PRIMITIVES: Record<Extract<AvroSchema, string>, { write: Write; read: Read }> = {
  null: { write: () => undefined, read: () => null },
  boolean: { write: (out: AvroWriter, value: boolean) => out.boolean(value), read: (from) => from.boolean() },
  int: { write: (out: AvroWriter, value: number) => out.long(value), read: (from) => from.long() },
  long: { write: (out: AvroWriter, value: number) => out.long(value), read: (from) => from.long() },
  string: { write: (out: AvroWriter, value: string) => out.string(value), read: (from) => from.string() },
  bytes: { write: (out: AvroWriter, value: Uint8Array) => out.bytes(value), read: (from) => from.bytes() },
};
