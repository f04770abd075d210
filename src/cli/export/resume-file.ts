import { readFileSync, rmSync } from 'node:fs';
import { CliFailure, EXIT, codeOf, messageOf } from '../failure.js';
import { replaceFile } from '../replace-file.js';

/** How far an export came. */
export interface ResumePoint {
  url: string;
  query: Record<string, string>;
  gzip: boolean;
  /** of the next page; null: there is none, only the name of the file is missing */
  cursor: string | null;
  endpoints: number;
  /** length of the part up to here */
  bytes: number;
}

const pathOf = (file: string): string => `${file}.part.epr-progress.json`;

export function saveResumePoint(file: string, point: ResumePoint): void {
  replaceFile(pathOf(file), `${JSON.stringify(point, null, 2)}\n`);
}

export function removeResumePoint(file: string): void {
  rmSync(pathOf(file), { force: true });
}

/** What an interrupted export of the same left; undefined: nothing. Throws a {@link CliFailure} when it was of another. */
export function loadResumePoint(
  file: string,
  wanted: Pick<ResumePoint, 'url' | 'query' | 'gzip'>,
): ResumePoint | undefined {
  const path = pathOf(file);
  const again = 'Without --resume the export begins again.';
  let found: Partial<ResumePoint>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<ResumePoint>;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new CliFailure(`${path} can not be used: ${messageOf(error)}. ${again}`, EXIT.usage);
  }
  const whole =
    typeof found.endpoints === 'number' &&
    typeof found.bytes === 'number' &&
    (typeof found.cursor === 'string' || found.cursor === null);
  if (!whole)
    throw new CliFailure(
      `${path} can not be used: it does not have the form that export writes. ${again}`,
      EXIT.usage,
    );
  const { url, query, gzip } = wanted;
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  if (!same(found.url, url))
    throw new CliFailure(
      `${file} was being exported from ${found.url}; this is ${url}. ${again}`,
      EXIT.usage,
    );
  if (!same(found.query, query))
    throw new CliFailure(
      `${file} was being exported with ${JSON.stringify(found.query)}; this is ${JSON.stringify(query)}. ${again}`,
      EXIT.usage,
    );
  if (!same(found.gzip, gzip))
    throw new CliFailure(
      `${file} was being exported ${found.gzip === true ? 'with' : 'without'} --gzip. ${again}`,
      EXIT.usage,
    );
  return found as ResumePoint;
}
