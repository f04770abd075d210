import type { Collection, Db } from 'mongodb';
import type { KeyedAnswer } from '../port.js';
import { isDuplicateKey } from './errors.js';

interface AnswerDocument {
  _id: string;
  /** Unix ms */
  created: number;
  fingerprint: string;
  answer: string;
}

function answers(db: Db): Collection<AnswerDocument> {
  return db.collection<AnswerDocument>('answers');
}

export async function getAnswer(db: Db, id: string): Promise<KeyedAnswer | undefined> {
  const found = await answers(db).findOne({ _id: id });
  if (found === null) return undefined;
  return { id, createdMs: found.created, fingerprint: found.fingerprint, answer: found.answer };
}

export async function putAnswer(db: Db, kept: KeyedAnswer): Promise<KeyedAnswer> {
  const { id, createdMs, fingerprint, answer } = kept;
  try {
    await answers(db).insertOne({ _id: id, created: createdMs, fingerprint, answer });
    return kept;
  } catch (error) {
    if (!isDuplicateKey((error as { code?: unknown }).code)) throw error;
    // absent again: it expired in between
    return (await getAnswer(db, id)) ?? kept;
  }
}

export function countAnswers(db: Db): Promise<number> {
  return answers(db).estimatedDocumentCount();
}

export async function expireAnswers(db: Db, createdBeforeMs: number): Promise<number> {
  return (await answers(db).deleteMany({ created: { $lt: createdBeforeMs } })).deletedCount;
}
