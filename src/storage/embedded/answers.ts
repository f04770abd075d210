import type { KeyedAnswer } from '../port.js';
import { isKey, NOTHING, type Part, type Tables } from './tables.js';

export function getAnswer(tables: Tables, id: string): KeyedAnswer | undefined {
  const bytes = isKey(id) ? tables.answers.getBinary(id) : undefined;
  return bytes && (JSON.parse(bytes.toString('utf8')) as KeyedAnswer);
}

/** Inside of a write transaction. */
export function putAnswer(tables: Tables, answer: KeyedAnswer): KeyedAnswer {
  const there = getAnswer(tables, answer.id);
  if (there) return there;
  tables.answers.put(answer.id, Buffer.from(JSON.stringify(answer)));
  tables.answerDates.put([answer.createdMs, answer.id], NOTHING);
  return answer;
}

/** Forgets up to `limit`, inside of a write transaction. Answers how many. */
export function expireSomeAnswers(tables: Tables, createdBeforeMs: number, limit: number): number {
  const due = [...tables.answerDates.getKeys({ end: [createdBeforeMs], limit })] as Part[][];
  for (const key of due) {
    tables.answerDates.remove(key);
    tables.answers.remove(key[1] as string);
  }
  return due.length;
}
