import { PatternFault } from './syntax.js';

/** Reads a pattern by code points. */
export class PatternReader {
  readonly #source: string;
  readonly #names = new Set<string>();
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

  nameGroup(name: string): void {
    if (this.#names.has(name)) throw new PatternFault(`the group name "${name}" is used twice`);
    this.#names.add(name);
  }
}
