import { readFileSync } from 'node:fs';
import { NO_QUERY_LIMITS, parseQuery } from '../../filters/index.js';
import { NAME } from '../../model/endpoint.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js';
import { parseStrictText } from '../../model/strict-json.js';
import { CliFailure, codeOf, messageOf } from '../failure.js';
import { printable } from '../text.js';
import { readPlaced, type Fault, type Position, type SyntaxFault } from './places.js';

/** A filter as the file wants it. */
export interface WantedFilter {
  name: string;
  /** undefined: as it is in the register */
  description: string | undefined;
  mongoQuery: JsonObject;
  /** where it stands in the file, as a JSON pointer */
  path: string;
}

export interface FilterFile {
  application: string;
  filters: WantedFilter[];
  /** `filters.yaml:3:5`: of a pointer, or of the nearest around it that has a place */
  placeOf(path: string): string;
}

const NESTING = 256;
const MAX_NAME = 256;
const MAX_DESCRIPTION = 4096;
const SHOWN_FAULTS = 20;

/**
 * Reads a file of filters, JSON or YAML, and checks all that can be checked without the register. Throws a
 * {@link CliFailure} that names each fault with its place.
 *
 * @param file path, or `-` for standard input
 * @param application instead of the one that the file names
 */
export function readFilterFile(file: string, application: string | undefined): FilterFile {
  const label = file === '-' ? 'standard input' : file;
  const text = readText(file, label);
  const { value, positions } = parseText(file, label, text);
  const positionOf = (path: string): Position | undefined => {
    for (let pointer = path; ; pointer = pointer.slice(0, pointer.lastIndexOf('/'))) {
      const position = positions.get(pointer);
      if (position !== undefined || pointer === '') return position;
    }
  };
  const placeOf = (path: string): string => placed(label, positionOf(path));
  const found: Fault[] = [];
  const filters = checkFile(value, application, found);
  const named = application ?? (isJsonObject(value) ? value['applicationName'] : undefined);
  if (found.length > 0 || typeof named !== 'string') {
    const faults = found.map(({ path, message }) => ({ position: positionOf(path), message }));
    throw faulty(label, faults);
  }
  return { application: named, filters, placeOf };
}

function readText(file: string, label: string): string {
  try {
    const bytes = readFileSync(file === '-' ? 0 : file);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new CliFailure(`There is no file ${file}.`);
    if (codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new CliFailure(`${label} is not valid UTF-8.`);
    throw new CliFailure(`${label} can not be read: ${messageOf(error)}.`);
  }
}

function parseText(
  file: string,
  label: string,
  text: string,
): { value: JsonValue; positions: ReadonlyMap<string, Position> } {
  const isJson = /\.json$/i.test(file) || (!/\.ya?ml$/i.test(file) && /^\s*[{[]/.test(text));
  const read = readPlaced(text);
  if (!isJson) {
    if ('faults' in read) throw faulty(label, read.faults);
    return read;
  }
  const strict = parseStrictText(text, NESTING);
  if (strict.ok)
    return {
      value: strict.value,
      positions: 'positions' in read ? read.positions : new Map<string, Position>(),
    };
  const at = /at position (\d+)/.exec(strict.message);
  const position =
    at !== null ? positionAt(text, Number(at[1])) : 'faults' in read ? read.faults[0]?.position : undefined;
  throw faulty(label, [{ position, message: strict.message }]);
}

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

function placed(label: string, position: Position | undefined): string {
  return position === undefined ? label : `${label}:${position.line}:${position.column}`;
}

/** In the order of the file. */
function faulty(label: string, faults: readonly SyntaxFault[]): CliFailure {
  const sorted = [...faults].sort(
    ({ position: a }, { position: b }) =>
      (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0),
  );
  const shown = sorted
    .slice(0, SHOWN_FAULTS)
    .map(({ position, message }) => printable(`${placed(label, position)}: ${message}`));
  if (faults.length === 1) return new CliFailure(`${shown[0]} Nothing was changed.`);
  if (faults.length > SHOWN_FAULTS) shown.push(`and ${faults.length - SHOWN_FAULTS} more`);
  return new CliFailure(
    `${label} has ${faults.length} faults; nothing was changed:\n  ${shown.join('\n  ')}`,
  );
}

const FORM = '{"applicationName": "...", "filters": [{"name", "description", "mongoQuery"}]}';

function checkFile(value: JsonValue, application: string | undefined, faults: Fault[]): WantedFilter[] {
  const fault = (path: string, message: string): void => void faults.push({ path, message });
  if (!isJsonObject(value)) {
    fault('', `The file has the form ${FORM}; this is ${kindOf(value)}.`);
    return [];
  }
  for (const key of Object.keys(value))
    if (key !== 'applicationName' && key !== 'filters')
      fault(`/${key}`, `There is no field "${key}"; the file has applicationName and filters.`);
  const named = value['applicationName'];
  if (named === undefined) {
    if (application === undefined)
      fault(
        '',
        'The file does not say of which application the filters are; add applicationName, or give --application.',
      );
  } else if (typeof named !== 'string' || !NAME.test(named)) {
    fault('/applicationName', 'An application has a name out of a-z, 0-9, "_" and "-".');
  }
  const filters = value['filters'];
  if (!Array.isArray(filters)) {
    fault(
      filters === undefined ? '' : '/filters',
      `"filters" is a list; this is ${filters === undefined ? 'missing' : kindOf(filters)}. The file has the form ${FORM}.`,
    );
    return [];
  }
  const names = new Set<string>();
  return filters.flatMap((filter, i) => checkFilter(filter, `/filters/${i}`, names, fault) ?? []);
}

function checkFilter(
  value: JsonValue,
  path: string,
  names: Set<string>,
  fault: (path: string, message: string) => void,
): WantedFilter | undefined {
  if (!isJsonObject(value)) {
    fault(path, `A filter is an object with name, description and mongoQuery; this is ${kindOf(value)}.`);
    return undefined;
  }
  for (const key of Object.keys(value))
    if (!['name', 'description', 'mongoQuery'].includes(key))
      fault(`${path}/${key}`, `A filter has no field "${key}"; it has name, description and mongoQuery.`);
  const { name, description } = value;
  if (typeof name !== 'string' || name.trim() === '' || name.length > MAX_NAME)
    fault(name === undefined ? path : `${path}/name`, `A filter has a name of 1 to ${MAX_NAME} characters.`);
  else if (names.has(name))
    fault(
      `${path}/name`,
      `Another filter of the file has the name ${JSON.stringify(name)}; names are unique.`,
    );
  else names.add(name);
  if (
    description !== undefined &&
    !(typeof description === 'string' && description.length <= MAX_DESCRIPTION)
  )
    fault(`${path}/description`, `A description is a text of at most ${MAX_DESCRIPTION} characters.`);
  const mongoQuery = checkQuery(value['mongoQuery'], path, fault);
  if (mongoQuery === undefined || typeof name !== 'string') return undefined;
  return { name, description: typeof description === 'string' ? description : undefined, mongoQuery, path };
}

/** The register has the last word on limits, which are configuration. */
function checkQuery(
  given: JsonValue | undefined,
  path: string,
  fault: (path: string, message: string) => void,
): JsonObject | undefined {
  if (given === undefined) {
    fault(path, 'A filter has a mongoQuery, such as {"application_version": "demo-v1"}.');
    return undefined;
  }
  let query: JsonValue = given;
  if (typeof query === 'string') {
    const parsed = parseStrictText(query, NESTING);
    if (!parsed.ok) {
      fault(`${path}/mongoQuery`, `mongoQuery, as a text: ${parsed.message}`);
      return undefined;
    }
    query = parsed.value;
  }
  const parsed = parseQuery(query, NO_QUERY_LIMITS);
  if (parsed.ok) return parsed.query.source;
  for (const { path: inner, message } of parsed.faults) fault(`${path}/mongoQuery${inner}`, message);
  return undefined;
}

function kindOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
