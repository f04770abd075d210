import { readFile } from 'node:fs/promises';

/** What was read and understood, or what is wrong: the setting, what was found, the remedy. */
export type Readable<T> = { ok: true; value: T } | { ok: false; problem: string };

const MEANINGS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'this process may not read it',
  EISDIR: 'it is a folder',
};

/** A file that a setting names. Never rejects. */
export async function readNamed(setting: string, path: string): Promise<Readable<string>> {
  try {
    return { ok: true, value: await readFile(path, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const problem = `${setting}: ${path}: ${MEANINGS[code] ?? code}. Put the file there, or correct the setting.`;
    return { ok: false, problem };
  }
}
