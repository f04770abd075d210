import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { MongoBulkWriteError, type AnyBulkWriteOperation, type Collection } from 'mongodb';
import { headOf, isTombstone, metadataOf } from '../../model/record.js';
import type { RecordWrite } from '../port.js';
import { type EndpointDocument, LIVE } from './documents.js';
import { isDuplicateKey } from './errors.js';

/** A metadata key that endpoints of a version have, or once had. */
export interface KeyDocument {
  /** `<application>/<version>/<key>`, a long key by its hash: the primary index has an application's together */
  _id: string;
  version: string;
  key: string;
  /** Unix ms since when it is known that no endpoint has it */
  goneSince?: number;
}

type Keys = Collection<KeyDocument>;
type Endpoints = Collection<EndpointDocument>;

/** Long after the memory of every replica forgot that it is there. */
const FORGET_GONE_MS = 60 * 60 * 1000;
const REMEMBER_MS = 10 * 60 * 1000;
const REMEMBERED = 20_000;
const LONGEST_ID_KEY = 200;
/** Existence queries under way. */
const ASKED_AT_ONCE = 16;
const STEP = 1000;
/** Says that the collection has what was stored before it was kept. No application has an empty name. */
const BUILT = '/built';

/** Keys that were noted in the last minutes, so that they need no further write. */
export type KnownKeys = LRUCache<string, true>;

export function createKnownKeys(): KnownKeys {
  return new LRUCache({ max: REMEMBERED, ttl: REMEMBER_MS });
}

function idOf(application: string, version: string, key: string): string {
  const short =
    key.length <= LONGEST_ID_KEY ? key : `#${createHash('sha256').update(key).digest('base64url')}`;
  return `${application}/${version}/${short}`;
}

/**
 * Notes the keys that writes bring, before any of them: what a record has is then always noted, whatever crashes. Costs
 * a write only for keys that are new here.
 */
export async function noteKeys(keys: Keys, known: KnownKeys, writes: readonly RecordWrite[]): Promise<void> {
  const unknown = new Map<string, KeyDocument>();
  for (const write of writes) {
    const brought = broughtBy(write);
    if (brought.length === 0) continue;
    const { application, version } = headOf(write.record);
    for (const key of brought) {
      const _id = idOf(application, version, key);
      if (!known.has(_id)) unknown.set(_id, { _id, version, key });
    }
  }
  if (unknown.size === 0) return;
  await upsert(keys, [...unknown.values()]);
  for (const _id of unknown.keys()) known.set(_id, true);
}

function broughtBy({ record, moved, keys }: RecordWrite): readonly string[] {
  if (!moved) return keys?.added ?? [];
  return isTombstone(record) ? [] : Object.keys(metadataOf(record));
}

async function upsert(keys: Keys, documents: readonly KeyDocument[]): Promise<void> {
  for (let at = 0; at < documents.length; at += STEP) {
    const operations = documents
      .slice(at, at + STEP)
      .map(({ _id, version, key }): AnyBulkWriteOperation<KeyDocument> => ({
        updateOne: {
          filter: { _id },
          update: { $set: { version, key }, $unset: { goneSince: '' } },
          upsert: true,
        },
      }));
    try {
      await keys.bulkWrite(operations, { ordered: false });
    } catch (error) {
      // Another replica noted the same at the same moment: now there is one to update.
      const refused = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
      if (refused.length === 0 || !refused.every(({ code }) => isDuplicateKey(code))) throw error;
      await keys.bulkWrite(operations, { ordered: false });
    }
  }
}

/**
 * The noted keys of an application that some endpoint has now: each is looked for by the index `version_keys`, so that
 * what is gone does not show. O(keys noted), in queries.
 */
export async function readMetadataKeys(
  keys: Keys,
  endpoints: Endpoints,
  application: string,
): Promise<Map<string, string[]>> {
  // "0" comes after "/"
  const noted = await keys.find({ _id: { $gte: `${application}/`, $lt: `${application}0` } }).toArray();
  const present = new Map<string, string[]>();
  for (let at = 0; at < noted.length; at += ASKED_AT_ONCE) {
    const asked = noted.slice(at, at + ASKED_AT_ONCE);
    const found = await Promise.all(
      asked.map(({ version, key }) => hasKey(endpoints, application, version, key)),
    );
    asked.forEach(({ version, key }, i) => {
      if (!found[i]) return;
      const names = present.get(version) ?? [];
      if (names.length === 0) present.set(version, names);
      names.push(key);
    });
  }
  for (const names of present.values()) names.sort();
  return present;
}

async function hasKey(
  endpoints: Endpoints,
  application: string,
  version: string,
  key: string,
): Promise<boolean> {
  const one = await endpoints.findOne(
    { application, application_version: version, 'metadata.key': key },
    { projection: { _id: 1 } },
  );
  return one !== null;
}

/**
 * Marks noted keys that no endpoint has, and removes those that were marked long ago. Who brings such a key back takes
 * the mark away before its record is written, and no replica relies on its memory for so long: so none is lost.
 */
export async function purgeKeys(keys: Keys, endpoints: Endpoints, nowMs: number): Promise<void> {
  let after = '';
  for (;;) {
    const step = await keys
      .find({ _id: { $gt: after, $ne: BUILT } })
      .sort({ _id: 1 })
      .limit(STEP)
      .toArray();
    for (const { _id, version, key, goneSince } of step) {
      const application = _id.slice(0, _id.indexOf('/'));
      if (await hasKey(endpoints, application, version, key)) continue;
      if (goneSince === undefined) {
        await keys.updateOne({ _id, goneSince: { $exists: false } }, { $set: { goneSince: nowMs } });
      } else if (goneSince < nowMs - FORGET_GONE_MS) await keys.deleteOne({ _id, goneSince });
    }
    if (step.length < STEP) return;
    after = step.at(-1)!._id;
  }
}

/** Notes the keys of what was stored before this collection was kept. Once; O(endpoints). */
export async function buildKeys(keys: Keys, endpoints: Endpoints): Promise<void> {
  if ((await keys.findOne({ _id: BUILT })) !== null) return;
  const found = new Map<string, KeyDocument>();
  const cursor = endpoints
    .find(LIVE)
    .project<Pick<EndpointDocument, 'application' | 'application_version' | 'metadata'>>({
      application: 1,
      application_version: 1,
      'metadata.key': 1,
    });
  for await (const { application, application_version: version, metadata } of cursor) {
    for (const { key } of metadata) {
      const _id = idOf(application!, version!, key);
      if (!found.has(_id)) found.set(_id, { _id, version: version!, key });
    }
  }
  await upsert(keys, [...found.values()]);
  await upsert(keys, [{ _id: BUILT, version: '', key: '' }]);
}
