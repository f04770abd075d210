import { MongoBulkWriteError, MongoError, MongoServerError } from 'mongodb';
import { StorageUnavailable } from '../port.js';

/** Driver errors that say: no server that takes the command could be reached, or its answer was lost. */
const CONNECTION_ERRORS = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongoTopologyClosedError',
  'MongoNotConnectedError',
  'MongoClientClosedError',
  'MongoClientBulkWriteExecutionError',
  'MongoPoolClearedError',
  'MongoPoolClearedOnNetworkError',
  'MongoPoolClosedError',
  'MongoConnectionPoolClearedError',
  'MongoWaitQueueTimeoutError',
  'MongoOperationTimeoutError',
  'MongoWriteConcernError',
  'MongoExpiredSessionError',
]);

/**
 * Server codes that say the same: not primary (any more), shutting down, elections, no majority in time, too long.
 * Source: the error code table of MongoDB 4.4 (`src/mongo/base/error_codes.yml`) and the retryable ones of the drivers' specification.
 */
const UNAVAILABLE_CODES = new Set([
  6, 7, 13, 18, 24, 43, 46, 50, 64, 79, 89, 91, 100, 112, 133, 134, 148, 175, 189, 202, 237, 262, 317, 358,
  384, 9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436, 14031,
]);

/**
 * Something went wrong inside of the server, and nothing is known. Servers with a database of their own behind them say
 * so when that one went away: often, then, the next try is answered.
 */
const INTERNAL_CODES = new Set([1, 8]);

/** Duplicate key of a unique index, in today's form and in the two that old and compatible servers have. */
const DUPLICATE_CODES = new Set([11000, 11001, 12582]);

export function isDuplicateKey(code: unknown): boolean {
  return typeof code === 'number' && DUPLICATE_CODES.has(code);
}

export function isUnavailableCode(code: unknown): boolean {
  return typeof code === 'number' && UNAVAILABLE_CODES.has(code);
}

/** The answer was lost, or there was no one to ask: whether anything happened is unknown. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof StorageUnavailable) return true;
  if (!(error instanceof MongoError)) return false;
  if (CONNECTION_ERRORS.has(error.name)) return true;
  // The driver wraps what happens to a bulk, and the class of a connection error is lost in that: it has no code.
  if (
    error instanceof MongoBulkWriteError &&
    error.code === undefined &&
    [error.writeErrors].flat().length === 0
  )
    return true;
  if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('TransientTransactionError'))
    return true;
  return error instanceof MongoServerError && isUnavailableCode(error.code);
}

/** A document that an update would make is larger than one may be. */
const TOO_LARGE_CODES = new Set([10334, 17280, 17419, 17420]);

export function isTooLarge(code: unknown): boolean {
  return typeof code === 'number' && TOO_LARGE_CODES.has(code);
}

function isInternalCode(code: unknown): boolean {
  return typeof code === 'number' && INTERNAL_CODES.has(code);
}

/** {@link isUnavailable}, or the server failed without saying what became of the command. */
export function isUnknown(error: unknown): boolean {
  if (isUnavailable(error)) return true;
  if (!(error instanceof MongoServerError) || !isInternalCode(error.code)) return false;
  return !(error instanceof MongoBulkWriteError) || [error.writeErrors].flat().length === 0;
}

/** True when there was time enough to look for a server already: asking at once again is of no use. */
export function isServerMissing(error: unknown): boolean {
  return error instanceof MongoError && (error.name === 'MongoServerSelectionError' || 'reason' in error);
}

/** What a caller of the port gets: {@link StorageUnavailable}, or the error as it was. */
export function toPortError(error: unknown): unknown {
  if (error instanceof StorageUnavailable || !isUnknown(error)) return error;
  return new StorageUnavailable(`MongoDB does not answer: ${(error as Error).message}`, { cause: error });
}
