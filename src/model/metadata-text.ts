import type { JsonObject, JsonValue } from './json.js';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Where the members of an object stand in its text, in their order. */
interface Members {
  keys: string[];
  /** of each: start of its value, and the place after it */
  places: number[];
}

/**
 * Metadata as it is stored: the text of a JSON object. Few keys of many are looked at when one changes, so that the text
 * is passed over once, and only the values that are asked for are parsed. A change puts texts of values in the places of
 * others.
 *
 * The text is one that `JSON.stringify` wrote. Any other is understood, too, but parsed as a whole.
 */
export class MetadataText {
  #members: Members | undefined;
  #values: (JsonValue | undefined)[] = [];
  #object: JsonObject | undefined;

  /** @param object what the text says, where it is known; never changed */
  constructor(
    readonly text: string,
    object?: JsonObject,
  ) {
    this.#object = object;
  }

  /** A value; undefined where there is no such key. O(text) at the first call. */
  value(key: string): JsonValue | undefined {
    const object = this.#object;
    if (object !== undefined) return Object.hasOwn(object, key) ? object[key] : undefined;
    const members = this.members();
    if (members === undefined) return this.value(key);
    const at = members.keys.indexOf(key);
    return at === -1 ? undefined : (this.#values[at] ??= this.#valueAt(members, at));
  }

  /** A value as JSON text; undefined where there is no such key. O(text) at the first call. */
  valueText(key: string): string | undefined {
    const object = this.#object;
    if (object !== undefined) return Object.hasOwn(object, key) ? JSON.stringify(object[key]) : undefined;
    const members = this.members();
    if (members === undefined) return this.valueText(key);
    const at = members.keys.indexOf(key);
    return at === -1 ? undefined : this.#textAt(members, at);
  }

  /** All of it; not to be changed. */
  object(): JsonObject {
    return (this.#object ??= JSON.parse(this.text) as JsonObject);
  }

  /**
   * With other values of keys that are there, and keys that are not there yet at the end; undefined where that would not
   * be what `JSON.stringify` writes. The texts are what it writes of the values. O(text).
   */
  with(
    updated: readonly string[],
    added: readonly string[],
    textOf: (key: string) => string,
  ): MetadataText | undefined {
    const members = this.members();
    // names of array positions go before all others
    if (members === undefined || added.some((key) => /^\d/.test(key))) return undefined;
    const { text } = this;
    const keys = added.length === 0 ? members.keys : members.keys.concat(added);
    const places: number[] = [];
    const values = this.#values.slice();
    let result = '';
    let from = 0;
    let moved = 0;
    for (let i = 0; i < members.keys.length; i++) {
      const start = members.places[2 * i]!;
      const end = members.places[2 * i + 1]!;
      places.push(start + moved);
      if (updated.includes(keys[i]!)) {
        const value = textOf(keys[i]!);
        result += text.slice(from, start) + value;
        from = end;
        moved += value.length - (end - start);
        values[i] = undefined;
      }
      places.push(end + moved);
    }
    result += text.slice(from, -1);
    for (const key of added) {
      result += `${result.length > 1 ? ',' : ''}${JSON.stringify(key)}:`;
      places.push(result.length);
      result += textOf(key);
      places.push(result.length);
    }
    const metadata = new MetadataText(`${result}}`);
    metadata.#members = { keys, places };
    metadata.#values = values;
    return metadata;
  }

  /** Keys in their order. O(text) at the first call. */
  keys(): readonly string[] {
    return this.members()?.keys ?? Object.keys(this.object());
  }

  /** Undefined where the text has to be parsed as a whole; then it was. */
  private members(): Members | undefined {
    if (this.#members === undefined) {
      this.#members = findMembers(this.text);
      if (this.#members === undefined) this.object();
    }
    return this.#members;
  }

  #valueAt(members: Members, at: number): JsonValue {
    const text = this.#textAt(members, at);
    // a string of itself: `JSON.stringify` writes with a backslash what is not
    if (text.charCodeAt(0) === QUOTE && !text.includes('\\')) return text.slice(1, -1);
    return JSON.parse(text) as JsonValue;
  }

  #textAt({ places }: Members, at: number): string {
    return this.text.slice(places[2 * at], places[2 * at + 1]);
  }
}

/** One pass over the text; undefined where there is anything that `JSON.stringify` does not write. */
function findMembers(text: string): Members | undefined {
  const keys: string[] = [];
  const places: number[] = [];
  const end = text.length - 1;
  if (text.charCodeAt(0) !== OPEN_OBJECT || text.charCodeAt(end) !== CLOSE_OBJECT) return undefined;
  for (let at = 1; at < end; at++) {
    if (text.charCodeAt(at) !== QUOTE) return undefined;
    const keyEnd = stringEnd(text, at);
    if (text.charCodeAt(keyEnd) !== COLON) return undefined;
    const key = text.slice(at + 1, keyEnd - 1);
    keys.push(key.includes('\\') ? (JSON.parse(text.slice(at, keyEnd)) as string) : key);
    at = valueEnd(text, keyEnd + 1);
    places.push(keyEnd + 1, at);
    const next = text.charCodeAt(at);
    if (at === end ? next !== CLOSE_OBJECT : next !== COMMA || at === end - 1) return undefined;
  }
  return { keys, places };
}

/** The place after the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) i++;
  }
  return text.length;
}

/** The place after the value that begins at `at`. */
function valueEnd(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = stringEnd(text, i) - 1;
    else if (c === OPEN_OBJECT || c === OPEN_ARRAY) depth++;
    else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
      if (depth === 0) return i;
      depth--;
    } else if (c === COMMA && depth === 0) return i;
  }
  return text.length;
}
