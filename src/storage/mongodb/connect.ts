import {
  type Document,
  MongoClient,
  MongoServerError,
  type Db,
  type MongoClientOptions,
  type WriteConcernSettings,
} from 'mongodb';
import { StorageUnavailable } from '../port.js';
import { isUnavailable } from './errors.js';
import { endWaitingWrites } from './waiting-writes.js';

export interface MongoStoreOptions {
  /** `mongodb://` or `mongodb+srv://`; its path names the database (`epr` when it has none); driver options in its query count */
  url: string;
  /** `sync`: majority and journal; `async`: one server's memory */
  durability: 'sync' | 'async';
  /** go before those in the URL */
  username?: string;
  password?: string;
  /** how long published entries of the outbox wait for a next write of their endpoint to take them out; default: 5 s */
  clearIdleMs?: number;
  /** told of every command that is sent, as it is sent */
  onCommand?: (command: Document) => void;
}

export interface Connection {
  client: MongoClient;
  db: Db;
  /** read concern of what must not be undone by an election after it was read */
  settledReads: 'majority' | 'local';
  notes: string[];
}

const DEFAULT_DATABASE = 'epr';
const SERVER_SELECTION_TIMEOUT_MS = 5000;
const MAJORITY_TIMEOUT_MS = 10_000;

/** The URL without its password, for messages. */
export function redactUrl(url: string): string {
  return url.replace(/^(mongodb(?:\+srv)?:\/\/[^:@/]*):[^@]*@/, '$1:***@');
}

export function databaseOf(url: string): string {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1];
  return path === undefined ? DEFAULT_DATABASE : decodeURIComponent(path);
}

/**
 * Connects, and finds out what the server takes.
 *
 * @throws Error whose message says what failed, where (no password in it), and the remedy
 */
export async function connect(options: MongoStoreOptions): Promise<Connection> {
  const unmended = endWaitingWrites();
  const client = clientOf(options);
  try {
    await client.connect();
    const database = databaseOf(options.url);
    await client.db(database).command({ ping: 1 });
    const notes = unmended === undefined ? [] : [unmended];
    const writeConcern = await findWriteConcern(client, database, options.durability, notes);
    // Reads from secondaries may be old, and a guard computed from them would never fit.
    const db = client.db(database, { writeConcern, readPreference: 'primary' });
    return { client, db, notes, settledReads: await findReadConcern(db, options.durability, notes) };
  } catch (error) {
    await client.close();
    throw openError(options, error);
  }
}

function clientOf({ url, username, password, onCommand }: MongoStoreOptions): MongoClient {
  const has = (name: string): boolean => new RegExp(`[?&]${name}=`, 'i').test(url);
  const clientOptions: MongoClientOptions = {
    promoteBuffers: true,
    monitorCommands: onCommand !== undefined,
  };
  if (!has('appName')) clientOptions.appName = 'epr';
  if (!has('serverSelectionTimeoutMS')) clientOptions.serverSelectionTimeoutMS = SERVER_SELECTION_TIMEOUT_MS;
  if (!has('connectTimeoutMS')) clientOptions.connectTimeoutMS = SERVER_SELECTION_TIMEOUT_MS;
  if (username !== undefined) clientOptions.auth = { username, password: password ?? '' };
  try {
    const client = new MongoClient(url, clientOptions);
    if (onCommand) client.on('commandStarted', ({ command }) => onCommand(command));
    return client;
  } catch (error) {
    const found = redactUrl(url);
    throw new Error(
      `storage.url is not a MongoDB URL: ${found}: ${messageOf(error).replaceAll(url, found)}. ` +
        'Give it as mongodb://host:27017/database or mongodb+srv://name/database; escape special characters of a password as %XX.',
      { cause: error },
    );
  }
}

/** Some servers have no journal and refuse `j`; that is found before the first write, by one that changes nothing. */
async function findWriteConcern(
  client: MongoClient,
  database: string,
  durability: 'sync' | 'async',
  notes: string[],
): Promise<WriteConcernSettings> {
  const wanted: WriteConcernSettings =
    durability === 'sync'
      ? { w: 'majority', j: true, wtimeoutMS: MAJORITY_TIMEOUT_MS }
      : { w: 1, wtimeoutMS: MAJORITY_TIMEOUT_MS };
  const tryOut = (writeConcern: WriteConcernSettings): Promise<unknown> =>
    client
      .db(database, { writeConcern, readPreference: 'primary' })
      .collection<{ _id: string }>('secrets')
      .updateOne({ _id: 'nothing has this id' }, { $set: { tried: true } });
  try {
    await tryOut(wanted);
    return wanted;
  } catch (error) {
    if (wanted.j !== true || !(error instanceof MongoServerError) || isUnavailable(error)) throw error;
    const withoutJournal: WriteConcernSettings = { w: 'majority', wtimeoutMS: MAJORITY_TIMEOUT_MS };
    await tryOut(withoutJournal);
    notes.push(
      `The server refuses to wait for its journal (${error.message}), so an answered write may be lost with its power. ` +
        'Remedy: run it with journaling on.',
    );
    return withoutJournal;
  }
}

async function findReadConcern(
  db: Db,
  durability: 'sync' | 'async',
  notes: string[],
): Promise<'majority' | 'local'> {
  if (durability === 'async') return 'local';
  try {
    await db
      .collection<{ _id: string }>('secrets')
      .findOne({ _id: '' }, { readConcern: { level: 'majority' } });
    return 'majority';
  } catch (error) {
    if (!(error instanceof MongoServerError) || (isUnavailable(error) && error.code !== 148)) throw error;
    notes.push(
      `The server has no read concern "majority" (${error.message}), so an event found after a restart could be ` +
        'published though an election undoes its change. Remedy: run it with enableMajorityReadConcern (the default).',
    );
    return 'local';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function openError({ url, username }: MongoStoreOptions, error: unknown): Error {
  const where = redactUrl(url);
  const code = error instanceof MongoServerError ? error.code : undefined;
  const cause = messageOf(error);
  if (code === 18 || /authentication failed|auth.*mechanism/i.test(cause)) {
    const user = username === undefined ? '' : ` as user "${username}"`;
    return new Error(
      `MongoDB at ${where} refuses to log in${user}: ${cause}. Remedy: check user and password (in storage.url, or ` +
        'MONGODB_USERNAME and MONGODB_PASSWORD), and add ?authSource=<database> to the URL when the user is kept in another one.',
      { cause: error },
    );
  }
  if (code === 13) {
    return new Error(
      `MongoDB at ${where} refuses this user: ${cause}. Remedy: give it the role readWrite on database "${databaseOf(url)}".`,
      { cause: error },
    );
  }
  if (isUnavailable(error)) {
    return new StorageUnavailable(
      `MongoDB at ${where} can't be reached: ${cause}. Remedy: start it, or correct storage.url; ` +
        'a replica set needs its name (?replicaSet=) or resolvable member names, and a majority of its members.',
      { cause: error },
    );
  }
  return new Error(`MongoDB at ${where} can't be used: ${cause}.`, { cause: error });
}
