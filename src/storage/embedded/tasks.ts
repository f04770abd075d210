import type { StoredTask } from '../port.js';
import { isKey, type Tables } from './tables.js';

/** Bytes of a task: whether it is complete (1), when it was created (f64), and all of it as JSON. */
const CREATED_AT = 1;
const BODY_AT = 9;

function parse(bytes: Buffer): StoredTask {
  return JSON.parse(bytes.toString('utf8', BODY_AT)) as StoredTask;
}

export function getTask(tables: Tables, id: string): StoredTask | undefined {
  const bytes = isKey(id) ? tables.tasks.getBinary(id) : undefined;
  return bytes && parse(bytes);
}

/** Inside of a write transaction. */
export function putTask(tables: Tables, task: StoredTask): void {
  const head = Buffer.alloc(BODY_AT);
  head[0] = task.complete ? 1 : 0;
  if (!task.complete && tables.tasks.getBinary(task.id)?.[0] === 1) return;
  head.writeDoubleLE(task.createdMs, CREATED_AT);
  tables.tasks.put(task.id, Buffer.concat([head, Buffer.from(JSON.stringify(task))]));
}

/** O(tasks). */
export function openTasks(tables: Tables): StoredTask[] {
  const tasks: StoredTask[] = [];
  for (const { value } of tables.tasks.getRange({})) if (value[0] === 0) tasks.push(parse(value));
  return tasks;
}

/** Inside of a write transaction. O(tasks). */
export function expireTasks(tables: Tables, createdBeforeMs: number): number {
  const expired: string[] = [];
  for (const { key, value } of tables.tasks.getRange({})) {
    if (value[0] === 1 && value.readDoubleLE(CREATED_AT) < createdBeforeMs) expired.push(key as string);
  }
  for (const id of expired) tables.tasks.remove(id);
  return expired.length;
}
