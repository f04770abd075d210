/** Where something stands in a text: `[start, end)` in UTF-16 units. */
export interface Place {
  start: number;
  end: number;
}

/**
 * Where the value at a JSON pointer stands in a JSON text, with its name when it is a member. A pointer that leads further
 * than the text goes to the last value on its way. `undefined` when the text is not JSON. O(length).
 */
export function placeOf(text: string, pointer: string): Place | undefined {
  const wanted = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  let at = 0;
  let found: Place | undefined;

  const space = (): void => {
    while (/\s/.test(text[at] ?? '')) at++;
  };
  const string = (): string => {
    const begin = at;
    for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++;
    at++;
    return JSON.parse(text.slice(begin, at)) as string;
  };
  /** @param depth how much of the pointer leads to this value; -1: it leads elsewhere */
  const value = (depth: number, begin: number): void => {
    space();
    const first = text[at];
    const onWay = (name: string): number => (depth >= 0 && wanted[depth] === name ? depth + 1 : -1);
    const start = begin < 0 ? at : begin;
    if (first === '{' || first === '[') {
      at++;
      for (let index = 0; ; index++) {
        space();
        if (text[at] === ',') at++;
        space();
        if (text[at] === '}' || text[at] === ']' || at >= text.length) break;
        const from = at;
        if (first === '[') value(onWay(String(index)), -1);
        else {
          const name = string();
          space();
          at++;
          value(onWay(name), from);
        }
      }
      at++;
    } else if (first === '"') string();
    else while (at < text.length && !/[\s,\]}]/.test(text[at]!)) at++;
    // what is deeper was found before
    if (depth >= 0 && found === undefined) found = { start, end: at };
  };

  try {
    JSON.parse(text);
    value(0, -1);
  } catch {
    return undefined;
  }
  return found;
}

/** Line and column, from 1. */
export function lineOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  return { line, column: at - before.lastIndexOf('\n') };
}
