import type { StoredPass } from '../port.js';
import type { Changes } from './draft.js';
import { isKey, type Tables, type View } from './tables.js';

export function getPass(tables: Tables, view: View, application: string): StoredPass | undefined {
  const bytes = isKey(application) ? tables.passes.getBinary(application, { transaction: view }) : undefined;
  return bytes && (JSON.parse(bytes.toString()) as StoredPass);
}

export function putPass(changes: Changes, application: string, pass: StoredPass | undefined): void {
  if (pass === undefined) changes.remove('passes', application);
  else changes.put('passes', application, Buffer.from(JSON.stringify(pass)));
}
