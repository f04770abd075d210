import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument, type Document } from 'yaml';
import { pointerToken, type JsonValue } from '../../model/json.js';

/** Something that is wrong at a place of a file, by JSON pointer (RFC 6901). */
export interface Fault {
  path: string;
  message: string;
}

export interface Position {
  line: number;
  column: number;
}

/** A YAML text, which JSON is too, as a JSON value, and where each part of it stands. */
export interface PlacedValue {
  value: JsonValue;
  positions: ReadonlyMap<string, Position>;
}

export interface SyntaxFault {
  position: Position | undefined;
  message: string;
}

/** Aliases may name each other many times over. */
const MAX_NODES = 1_000_000;
const MAX_DEPTH = 256;

/** Reads a text as YAML 1.2; only what JSON has is taken. */
export function readPlaced(text: string): PlacedValue | { faults: SyntaxFault[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, intAsBigInt: true });
  const positionAt = (offset: number | undefined): Position => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const syntax = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    position: positionAt(pos[0]),
    message: `${message.split('\n')[0]!.replace(/\.$/, '')}.`,
  }));
  if (syntax.length > 0) return { faults: syntax };
  const walk: Walk = { document, positionAt, positions: new Map(), faults: [], nodes: 0 };
  const value = valueOf(walk, document.contents, '', 0);
  return walk.faults.length > 0 ? { faults: walk.faults } : { value, positions: walk.positions };
}

interface Walk {
  document: Document;
  positionAt: (offset: number | undefined) => Position;
  positions: Map<string, Position>;
  faults: SyntaxFault[];
  nodes: number;
}

function valueOf(walk: Walk, found: unknown, pointer: string, depth: number): JsonValue {
  const offset = (found as { range?: [number, number, number] | null } | null)?.range?.[0];
  const fault = (message: string): null => {
    walk.faults.push({ position: walk.positionAt(offset), message });
    return null;
  };
  if (depth > MAX_DEPTH) return fault(`This is nested deeper than ${MAX_DEPTH} levels.`);
  if (++walk.nodes > MAX_NODES) {
    if (walk.nodes > MAX_NODES + 1) return null;
    return fault(`There are more than ${MAX_NODES} values, with all that aliases stand for.`);
  }
  if (offset !== undefined) walk.positions.set(pointer, walk.positionAt(offset));
  const node = isAlias(found) ? found.resolve(walk.document) : found;
  if (node == null) return null;
  if (isSeq(node)) return node.items.map((item, i) => valueOf(walk, item, `${pointer}/${i}`, depth + 1));
  if (isMap(node)) {
    const object: [string, JsonValue][] = [];
    for (const { key, value } of node.items) {
      const name =
        isScalar(key) && key.value !== null ? (key.source ?? JSON.stringify(key.value)) : undefined;
      if (name === undefined) return fault('A key is a text.');
      if (name === '__proto__') return fault('The key "__proto__" is not taken.');
      object.push([name, valueOf(walk, value, `${pointer}/${pointerToken(name)}`, depth + 1)]);
    }
    return Object.fromEntries(object);
  }
  const value = isScalar(node) ? node.value : undefined;
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') {
    return value.isWellFormed() ? value : fault('The text holds half of a surrogate pair.');
  }
  if (typeof value === 'bigint') {
    if (BigInt(Number(value)) === value) return Number(value);
    return fault(`${value} is more exact than a number can be; write it in quotes, or as another number.`);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return fault('This is no value that JSON has: a text, a number, true, false, null, a list or a mapping.');
}
