import { randomBytes } from 'node:crypto';
import type { Collection, Db, Filter } from 'mongodb';
import type { StoredTask } from '../port.js';
import { isDuplicateKey } from './errors.js';

interface TaskDocument {
  _id: string;
  application: string;
  /** Unix ms */
  created: number;
  complete: boolean;
  body: string;
}

interface SecretDocument {
  _id: string;
  secret: Uint8Array;
}

interface TextDocument {
  _id: string;
  text: string;
}

const SECRET_BYTES = 32;

function tasks(db: Db): Collection<TaskDocument> {
  return db.collection<TaskDocument>('tasks');
}

function taskOf({ _id, application, created, complete, body }: TaskDocument): StoredTask {
  return { id: _id, application, createdMs: created, complete, body };
}

export async function getTask(db: Db, id: string): Promise<StoredTask | undefined> {
  const document = await tasks(db).findOne({ _id: id });
  return document === null ? undefined : taskOf(document);
}

export async function putTask(
  db: Db,
  { id, application, createdMs, complete, body }: StoredTask,
): Promise<void> {
  const document = { _id: id, application, created: createdMs, complete, body };
  await put(tasks(db), document, complete ? {} : { complete: false });
}

/** @param only of those of the id, what is replaced; nothing happens where it is another one */
async function put<T extends { _id: string }>(
  collection: Collection<T>,
  { _id, ...replacement }: T,
  only: Filter<T> = {},
): Promise<void> {
  const filter = { ...only, _id } as Filter<T>;
  try {
    await collection.replaceOne(filter, replacement, { upsert: true });
  } catch (error) {
    // Two upserts at the same time: now there is one to replace.
    if (!isDuplicateKey((error as { code?: unknown }).code)) throw error;
    await collection.replaceOne(filter, replacement);
  }
}

export async function openTasks(db: Db): Promise<StoredTask[]> {
  const documents = await tasks(db).find({ complete: false }).sort({ created: 1 }).toArray();
  return documents.map(taskOf);
}

export async function expireTasks(db: Db, createdBeforeMs: number): Promise<number> {
  const { deletedCount } = await tasks(db).deleteMany({ complete: true, created: { $lt: createdBeforeMs } });
  return deletedCount;
}

/** Made by whoever asks first. Answered only when a majority has it, also to those who find it. */
export async function getSecret(db: Db, name: string): Promise<Uint8Array> {
  const secrets = db.collection<SecretDocument>('secrets');
  const getOrMake = (): Promise<SecretDocument | null> =>
    secrets.findOneAndUpdate(
      { _id: name },
      { $setOnInsert: { secret: randomBytes(SECRET_BYTES) } },
      { upsert: true, returnDocument: 'after' },
    );
  try {
    return new Uint8Array((await getOrMake())!.secret);
  } catch (error) {
    if (!isDuplicateKey((error as { code?: unknown }).code)) throw error;
    return new Uint8Array((await getOrMake())!.secret);
  }
}

export async function getText(db: Db, name: string): Promise<string | undefined> {
  return (await texts(db).findOne({ _id: name }))?.text;
}

export async function putText(db: Db, name: string, text: string): Promise<void> {
  await put(texts(db), { _id: name, text });
}

export async function listTexts(
  db: Db,
  prefix: string,
  limit: number,
  after?: string,
): Promise<{ name: string; text: string }[]> {
  const from = after === undefined ? { $gte: prefix } : { $gt: after };
  const found = await texts(db)
    .find({ _id: { ...from, $lt: `${prefix}\u{10ffff}` } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
  return found.map(({ _id: name, text }) => ({ name, text }));
}

export async function removeText(db: Db, name: string): Promise<void> {
  await texts(db).deleteOne({ _id: name });
}

function texts(db: Db): Collection<TextDocument> {
  return db.collection<TextDocument>('texts');
}
