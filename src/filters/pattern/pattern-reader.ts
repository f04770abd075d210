import { PatternFault } from './syntax.js';

/** A pattern of 1 KiB can't have more; parsing and compiling go as deep. */
const MAX_GROUP_DEPTH = 512;

/** Reads a pattern by code points. */
export class PatternReader {
  readonly #source: string;
  readonly #names = new Set<string>();
  #depth = 0;
  position = 0;

  constructor(source: string) {
    this.#source = source;
  }

  atEnd(): boolean {
    return this.position >= this.#source.length;
  }

  rest(): string {
    return this.#source.slice(this.position);
  }

  sees(text: string): boolean {
    return this.#source.startsWith(text, this.position);
  }

  take(text: string): boolean {
    if (!this.sees(text)) return false;
    this.position += text.length;
    return true;
  }

  /** The next character; empty at the end. */
  peek(): string {
    const codePoint = this.#source.codePointAt(this.position);
    return codePoint === undefined ? '' : String.fromCodePoint(codePoint);
  }

  next(): string {
    const char = this.peek();
    if (char === '') throw new PatternFault('the pattern ends too early');
    this.position += char.length;
    return char;
  }

  /** What a sticky expression matches here. */
  match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.position;
    const found = expression.exec(this.#source);
    if (found === null) return undefined;
    this.position += found[0].length;
    return found;
  }

  /** The text before a terminator, which is read too; all that is left where there is none. */
  until(terminator: string): string {
    const end = this.#source.indexOf(terminator, this.position);
    const text = this.#source.slice(this.position, end < 0 ? undefined : end);
    this.position = end < 0 ? this.#source.length : end + terminator.length;
    return text;
  }

  /** Whether `[.`, `[=` or `[:` begins what PCRE takes for a POSIX item: the same sign is before the next bracket. */
  seesPosixItem(): boolean {
    if (!this.sees('[.') && !this.sees('[=') && !this.sees('[:')) return false;
    const end = this.#source.indexOf(']', this.position);
    return end > this.position + 2 && this.#source[end - 1] === this.#source[this.position + 1];
  }

  /** Goes into a group. */
  descend(): void {
    this.#depth++;
    if (this.#depth > MAX_GROUP_DEPTH) {
      throw new PatternFault(`its groups are nested deeper than ${MAX_GROUP_DEPTH}; nest fewer of them`);
    }
  }

  ascend(): void {
    this.#depth--;
  }

  nameGroup(name: string): void {
    if (this.#names.has(name)) throw new PatternFault(`the group name "${name}" is used twice`);
    this.#names.add(name);
  }
}
